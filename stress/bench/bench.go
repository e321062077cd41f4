// The frame of the programs in Go: options, clock and the line of JSON, as bench.c has them.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func cpuSeconds() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) * 1e-9
}

func peakKib() (peak uint64) {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		fmt.Sscanf(line, "VmHWM: %d kB", &peak)
	}
	return peak
}

// Runs round on each thread until time is up, after one round that does not count, and prints the result.
func bench(operation string, size int, round func(size int) uint64) {
	threads := flag.Int("threads", 1, "goroutines that run the benchmark")
	seconds := flag.Float64("seconds", 1, "length; at least one round, after one that does not count")
	flag.IntVar(&size, "size", size, "greatest depth of the trees")
	flag.Parse()

	var operations uint64
	each := func(work func()) {
		var running sync.WaitGroup
		for i := 0; i < *threads; i++ {
			running.Add(1)
			go func() {
				defer running.Done()
				work()
			}()
		}
		running.Wait()
	}
	each(func() { round(size) })
	cpu, began := cpuSeconds(), time.Now()
	each(func() {
		for done := false; !done; done = time.Since(began).Seconds() >= *seconds {
			atomic.AddUint64(&operations, round(size))
		}
	})
	took := time.Since(began).Seconds()
	fmt.Printf("{\"operation\": \"%s\", \"threads\": %d, \"operations\": %d, \"seconds\": %.6f, \"cpu_seconds\": %.6f, "+
		"\"rss_kib\": %d, \"pauses\": 0, \"pause_median_us\": 0, \"pause_longest_us\": 0}\n",
		operation, *threads, operations, took, cpuSeconds()-cpu, peakKib())
}
