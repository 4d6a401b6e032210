"""Rules of scaling: pure functions of what is seen, of the policy and of the time, all of them passed in."""
