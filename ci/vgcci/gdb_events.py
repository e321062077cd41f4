"""For gdb, with a program and its core: prints the library's event rings (gc/event.c) as the library itself would."""

import gdb  # pylint: disable=import-error

rings = gdb.parse_and_eval("'event.c'::rings")
names = gdb.parse_and_eval("'event.c'::names")
last_ring, last_name = rings.type.range()[1], names.type.range()[1]
events = []
for ring in range(last_ring + 1):
    slots = rings[ring]["events"]
    for slot in range(slots.type.range()[1] + 1):
        event = slots[slot]
        kind = int(event["kind"])
        if 0 < kind <= last_name:
            events.append((int(event["time"]), int(event["thread"]), names[kind].string(), int(event["a"]),
                           int(event["b"])))
for time, thread, name, a, b in sorted(events):
    print(f"vgc-event {time} {thread} {name} {a:#x} {b:#x}")
