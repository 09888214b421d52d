"""How workers and scheduler that are started here are set: for counting, which takes all cores."""

SETTINGS = {
    # No worker writes rows or pickles to a disk.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": 0.9,
    "distributed.worker.memory.terminate": 0.97,
    "distributed.admin.tick.limit": "30s",
    # A worker that answers no more for so long is given up, and its tasks are counted elsewhere.
    "distributed.scheduler.worker-ttl": "60s",
    "distributed.scheduler.allowed-failures": 3,
    # The class of each row goes to workers with a task; no graph is large otherwise.
    "distributed.admin.large-graph-warning-threshold": "1TB",
    # Looking at what workers do a hundred times a second, and at the clock and at memory as often,
    # costs them some percent.
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.monitor-interval": "250ms",
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "2s",
    # Products are shared out by tasks, not by threads of a BLAS.
    "distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS": 1,
    # Arrays of some megabytes come and go with every block; to fetch their pages from the system
    # each time takes some percent.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 1 << 26,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 1 << 24,
}
"""Settings of dask, by name."""
