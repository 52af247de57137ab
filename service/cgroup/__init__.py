"""The cgroup that bounds all foreign code together: found, divided, given back. cgroups(7)."""
