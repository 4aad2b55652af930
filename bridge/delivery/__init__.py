"""Delivery: what was accepted for a partner reaches it, at least once and in order per ordering key.

states     what an entry may become                                          pure
policy     outcome, tries, age and the partner's settings → what to do next  pure
timetable  when a partner takes deliveries                                   pure
circuit    a partner that does not answer is left in peace for a while       pure
gate       whether anything may leave for a partner now, over all processes
drain      one key: lease, attempt, send, settle, next
by_hand    what people may do to an entry, and what becomes of its key       pure
hands      those acts upon entries, keys and partners, under their locks
acts       `bridge.deliveries`: look, and act upon one or many
standing   why an entry waits, what happens next, what to do                 pure
turns      whose turn it is among the keys and partners of one process         pure
runner     the threads of one process; leases, wake: two of them
background what runs beside requests: a runner, started and stopped with the process
"""
