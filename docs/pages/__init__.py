"""Pages of the site that are made from the code: methods, format, mathematics, names.

Each module makes Markdown and needs nothing but ``offload``; ``docs/hooks.py`` puts what they make
into the site.
"""
