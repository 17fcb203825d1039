"""Files that were damaged or made to do harm, and what reading them does: see docs/security.md."""
