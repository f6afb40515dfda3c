"""What a comparison is kept in: report.html, tables, figures."""
