"""Search: what the settings of trials may be, how they are drawn, and when a run is stopped as hopeless."""
