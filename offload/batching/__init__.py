"""Many instances, several methods, on the cores of this machine or on a cluster.

Light to import: the scheduler of a cluster imports it, and so does every child process.
"""
