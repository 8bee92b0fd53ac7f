"""The dashboard's pages: choose, ask, show."""
