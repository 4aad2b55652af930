"""Delivery: what was accepted for a partner reaches it, at least once and in order per ordering key.

states     what an entry may become                                          pure
policy     outcome, tries, age and the partner's settings → what to do next  pure
drain      one key: lease, attempt, send, settle, next
by_hand    what people may do to an entry, and what becomes of its key       pure
hands      those acts upon entries, keys and partners, under their locks
acts       `bridge.deliveries`: look, and act upon one or many
standing   why an entry waits, what happens next, what to do                 pure
"""
