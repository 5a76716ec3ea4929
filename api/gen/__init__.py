"""The emitters: each turns a Description into one generated file and knows nothing of the others."""
