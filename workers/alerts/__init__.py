"""Alerts: what a person should know without looking. Conditions are looked at, grouped, told over channels, and taken back.

The way: `conditions` (what is wrong now) → `decide` (what to tell now) → `book` (kept, atomically) → `deliver` (every channel).
Other code raises what only it can see with `raised`. `rounds` ties them together; the clock runs a round every half minute.
"""
