#!/usr/bin/env python3
"""Writes long Neko programs for nekoc to compile. Arguments: how many, the folder to write to."""

import sys
from pathlib import Path

FUNCTIONS = 100  # of a program: the format of compiled ones is narrow
FUNCTION = """
var class_{n} = $new(null);
class_{n}.run = function(count) {{
	var list = null, sum = {n}, i = 0;
	while( i < count ) {{
		list = {{ value => i * {n}, name => "n{n}-" + i, next => list, call => function(x) {{ return x + i + {n}; }} }};
		switch i % 4 {{
			0 => sum = (sum * 31 + list.call(i)) % 1000003
			1 => {{ try {{ $throw($array(i, {n})); }} catch e {{ sum += e[1]; }} }}
			default => if( $ssize(list.name) > 4 && list.value >= 0 || i == {n} ) sum += $ssize(list.name) else sum -= 1
		}}
		i += 1;
	}}
	while( list != null ) {{ sum = (sum + list.value) % 1000003; list = list.next; }}
	return sum;
}};
total = (total * 7 + class_{n}.run({n} % 17 + 3)) % 1000003;
"""


def main():
    size, folder = int(sys.argv[1]), Path(sys.argv[2])
    for number in range(size):
        first = number * FUNCTIONS
        (folder / f"source{number}.neko").write_text(
            "var total = 1;\n" + "".join(FUNCTION.format(n=n) for n in range(first, first + FUNCTIONS))
            + f'$print("total {number}: ", total, "\\n");\n')


if __name__ == "__main__":
    main()
