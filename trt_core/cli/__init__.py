"""The command line: one module a command, the same workbench as the pages."""
