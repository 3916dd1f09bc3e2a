"""What offhook costs: CPU of a call and of a packet, pacing, memory. `python -m benchmarks`; see docs/performance.md."""
