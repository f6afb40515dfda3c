"""Tests, laid out by what they prove."""
