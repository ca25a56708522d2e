"""
Coming from elsewhere: what another relay's flags, environment or files say, as settings and policies of ours.

Each peer has a reader (``blueimp``, ``decke``, ``postfix``) that returns what it ``Found``; ``settling`` adds what only
the operator knows, ``policies``, ``toml_text`` and ``readme`` write it down. Values in, values out, but for the files
that a peer's settings name and for ``writing``.
"""
