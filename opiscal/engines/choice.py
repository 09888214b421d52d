"""Which engine is meant by what was asked for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from opiscal.engines.checkpoint import Checkpoint
from opiscal.engines.engine import Engine
from opiscal.engines.local import LocalEngine
from opiscal.engines.worker_memory import memory_bytes
from opiscal.errors import UsageError

ENGINES = ("local", "dask")


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Who is to read and to count.

    Attributes
    ----------
    name : "local" or "dask"
    scheduler : str or None
        Address of a running scheduler, such as ``tcp://10.0.0.5:8786``; None starts workers on this
        machine.
    workers : int or None
        How many are started; None for one for each core that the process may use.
    worker_memory : str or None
        Of each, such as ``4GB``.
    checkpoint : str or None
        Folder in which counts are kept while they are made.

    Raises
    ------
    UsageError
        For an engine that is not known, or a setting that it does not have.
    """

    name: str = "local"
    scheduler: str | None = None
    workers: int | None = None
    worker_memory: str | None = None
    checkpoint: str | None = None

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise UsageError(f"engine {self.name!r}: must be one of {', '.join(ENGINES)}")
        if self.name == "local":
            for option, value in (
                ("scheduler", self.scheduler),
                ("workers", self.workers),
                ("worker-memory", self.worker_memory),
            ):
                if value is not None:
                    raise UsageError(
                        f"{option} {value}: is for --engine dask; give that too, or leave it out"
                    )
        elif self.scheduler is not None and self.workers is not None:
            raise UsageError(
                f"workers {self.workers}: those of the scheduler {self.scheduler} count; leave it "
                "out, or do without --scheduler"
            )

    @contextmanager
    def opened(
        self,
        threads: int | None = None,
        save_index: Path | None = None,
        say: Callable[[str], None] | None = None,
    ) -> Iterator[Engine]:
        """The engine, for as long as it is needed; workers that were started end with it.

        Parameters
        ----------
        threads : int, optional
            Of this process, where it is the one that counts.
        save_index : Path, optional
        say : callable, optional
            Is told, in a line, who counts.
        """
        checkpoint = None if self.checkpoint is None else Checkpoint(self.checkpoint)
        if self.name == "local":
            yield LocalEngine(threads, save_index, checkpoint)
            return
        for option, value in (("threads", threads), ("save-index", save_index)):
            if value is not None:
                raise UsageError(
                    f"{option} {str(value)!r}: is for this process, and workers count; leave it "
                    "out, or do without --engine dask"
                )
        # Without it the rest of opiscal works.
        from opiscal.engines.dask_cluster import Cluster
        from opiscal.engines.dask_engine import DaskEngine

        memory = None if self.worker_memory is None else memory_bytes(self.worker_memory)
        cluster = Cluster(self.scheduler, self.workers, memory)
        try:
            if say is not None:
                at = f", dashboard {cluster.dashboard}" if cluster.dashboard else ""
                say(f"dask: {cluster.workers} workers of {cluster.memory / 1e9:.1f} GB{at}")
            limits = [limit for limit in (memory, cluster.memory) if limit]
            yield DaskEngine(cluster, min(limits, default=0), checkpoint)
        finally:
            cluster.close()
