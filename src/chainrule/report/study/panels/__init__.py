"""The sections of a report, a file each: a function of the ranking that gives a section, or None where there is none."""
