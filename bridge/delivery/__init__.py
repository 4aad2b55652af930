"""Delivery: what was accepted for a partner reaches it, at least once and in order per ordering key.

states     what an entry may become                                          pure
policy     outcome, tries, age and the partner's settings → what to do next  pure
timetable  when a partner takes deliveries                                   pure
circuit    a partner that does not answer is left in peace for a while       pure
gate       whether anything may leave for a partner now, over all processes
drain      one key: lease, attempt, send, settle, next
turns      whose turn it is among the keys and partners of one process pure
runner     the threads of one process; leases, wake: two of them
background what runs beside requests: a runner, started and stopped with the process
"""
