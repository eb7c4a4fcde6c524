"""Plans and what-ifs as one self-contained HTML page: ``optimizer.report.page``."""
