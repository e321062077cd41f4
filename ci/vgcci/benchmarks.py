"""What ci/bench compares: the systems, and the programs with the systems that can run each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class System:
    about: str
    binary: str = ""  # whose program it runs; none: its own
    memory_of: str = ""  # its heap begins as large as what this one's run in the same round had resident at most
    is_counted: bool = True  # by --instructions
    source: str = "ci/setup installs it"

    def path(self, build, program, name):
        return build / "stress" / "bench" / f"bench_{program}_{self.binary or name}"


SYSTEMS = {
    "vgc": System("vgc with vgc_free"),
    "vgc-collect": System("vgc, nothing freed by hand"),
    "libgc": System("Debian's bdwgc, nothing freed by hand"),
    "libgc-equal": System("the same, its heap from the start as large as vgc-collect's peak", "libgc", "vgc-collect",
                          is_counted=False),
    "libgc-free": System("Debian's bdwgc with GC_free"),
    "mimalloc": System("Debian's mimalloc"),
    "mimalloc-zero": System("the same, zeroing what may hold pointers: the promise of vgc_malloc"),
    "jemalloc": System("Debian's jemalloc"),
    "glibc": System("malloc of the C library"),
    "go": System("Go, whose runtime collects", is_counted=False, source="apt-get install golang-go"),
    "limit": System("no allocator: a loop that does only what any must"),
}
ANY = ("vgc", "vgc-collect", "libgc", "libgc-free", "mimalloc", "mimalloc-zero", "jemalloc", "glibc")
COLLECTORS = ("vgc-collect", "libgc")


def _beside(*more):
    return tuple(name for name in SYSTEMS if name in ANY + more)


@dataclass(frozen=True)
class Program:
    about: str
    systems: tuple = ANY  # that can run it; the others are compared with the first
    threads: tuple = ()  # none: as many as are asked for
    quick_size: int = 0  # --size for a look; 0: its own
    pauses: str = ""  # what the durations are that it reports
    is_latency: bool = False  # its rate is what their median would allow: much of a run is waiting for the scheduler


PROGRAMS = {
    "pairs": Program("32 bytes allocated and freed at once", _beside("libgc-equal")),
    "pairs_noscan": Program("the same, holding no pointers: not zeroed, not scanned"),
    "batch": Program("1000 objects of 16 to 512 bytes, freed in random order", _beside("libgc-equal")),
    "batch_noscan": Program("the same, holding no pointers"),
    "handoff": Program("64 bytes, freed by another thread than allocated them"),
    "trees": Program("binary trees, long and short lived", _beside("libgc-equal", "go"), quick_size=14),
    "gcbench": Program("Boehm's GCBench", _beside("libgc-equal", "go"), quick_size=14),
    "replace": Program("209 MB live, of which random objects are replaced", pauses="operations of 1 ms or more"),
    "graph": Program("full collections of a random graph of 256 MiB; one thread", (*COLLECTORS, "limit"), (1,),
                     pauses="collections"),
    "stop": Program("stops of 1, 2 and 4 threads that compute", (*COLLECTORS, "limit"), (2, 3, 5), pauses="stops",
                    is_latency=True),
}


def chosen_of(program, chosen):
    """The chosen systems that can run it, and those that they are measured by."""
    names = PROGRAMS[program].systems
    needed = {names[0]} | {SYSTEMS[name].memory_of for name in names if name in chosen}
    return [name for name in names if name in chosen or name in needed]


def cells(programs, threads, systems):
    """(program, threads, systems) of all that is to be run."""
    return [(program, count, chosen_of(program, systems)) for program in programs
            for count in PROGRAMS[program].threads or threads]


def in_turn(systems, number):
    """Another first system each round, so that none always follows the same neighbour; but what takes its memory from
    another's run comes after it."""
    turn = number % len(systems)
    turned = systems[turn:] + systems[:turn]
    early = {name for name in turned if SYSTEMS[name].memory_of in turned[turned.index(name):]}
    return [name for name in turned if name not in early] + [name for name in turned if name in early]
