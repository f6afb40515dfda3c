"""Episodes as pictures: what is drawn over a maze, frames and videos."""
