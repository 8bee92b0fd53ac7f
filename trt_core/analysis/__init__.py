"""Pure algorithms over graphs, engine layers and measurements."""
