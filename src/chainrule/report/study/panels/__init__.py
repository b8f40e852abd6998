"""The sections of a report, a file each: a function of the ranking gives a section, or None where there is none."""
