"""
The identity owner's desk: policies tested, replayed, suggested and granted before they count, and brought to SES.

What reads or writes the disk here (folder, wanted, case_files, log_lines, writing, backups, mirroring), or asks SES
(putting, applying, visiting, fetching), does so by what it is handed; plan, ordering, effects and most others take
values and return values.
"""
