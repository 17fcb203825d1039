"""For microcontrollers: an int8 file that TFLite Micro runs, as C++ sources, with the size of its arena."""
