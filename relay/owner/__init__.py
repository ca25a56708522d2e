"""
The identity owner's desk: policies tested, replayed, suggested and granted before they count.

The files of this room that read or write the disk are folder, case_files, log_lines and writing; the others take values
and return values.
"""
