"""The cycle of improvement: analyze, identify, develop, test, deploy, monitor."""
