"""What the pages share: frame, pickers, charts, the job panel, text formatting."""
