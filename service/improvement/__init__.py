"""Improvements: functions that are served below /improved, by what they improve."""
