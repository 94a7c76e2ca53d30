"""The report of a sweep: one HTML page that needs nothing but itself."""
