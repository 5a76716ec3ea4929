// The part of the relocatable program that lives in another translation unit.
#pragma once

extern __device__ int shared_table[4];
__device__ int combine(int value, int factor);  // value * factor + 100
void launch_double(int* data, int n);           // data[i] *= 2 for n <= 64 elements in device memory
