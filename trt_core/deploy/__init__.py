"""What leaves the workbench: equivalent command lines."""
