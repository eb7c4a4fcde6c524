"""What a run leaves behind: JSON, CSV and terminal text, written so that nothing is half done."""
