"""Programs that print their tables with the machine they ran on. Run each alone on the machine."""
