"""Take from a worker process, by the kernel's own means, every way out: network, files, programs, processes.

`cage.Cage` is what a worker calls, in three steps: before its first thread, before its engine reads the model, and
after. Each layer is put up, then tried alone where it can be; in the end everything is tried again from inside. What
the worker found out is `WorkerReport.cage`. None of it needs rights: any user can do it on a kernel that has the means.
"""
