"""Delivery: what was accepted for a partner reaches it, at least once and in order per ordering key.

states     what an entry may become                                          pure
policy     outcome, tries, age and the partner's settings → what to do next  pure
drain      one key: lease, attempt, send, settle, next
"""
