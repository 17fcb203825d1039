#!/usr/bin/env python
"""Read thousands of damaged and hostile files, and count what comes of it: docs/security.md."""

from hostile.commands import main

if __name__ == "__main__":
    main()
