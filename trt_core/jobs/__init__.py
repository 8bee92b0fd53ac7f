"""Jobs as processes: records, states, launching, cancelling, reaping."""
