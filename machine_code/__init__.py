"""Plain functions as machine code: one way to compile, one cache on disk, PCG64. Knows no agent and no maze."""
