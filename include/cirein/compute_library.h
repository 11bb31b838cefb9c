// SPDX-License-Identifier: Apache-2.0
#pragma once

/*
 * What a shared library with compute functions exports, in C: it needs no other header of Cirein,
 * is not linked to it, and may be compiled by another compiler. The setting compute.libraries names
 * it; its functions are then known by name as those that RegisterComputeFunction makes known.
 *
 *   int32_t CountWords(const cirein_compute_input* input, cirein_compute_output* output);
 *
 *   const cirein_compute_entry entries[] = {{"words", CountWords}};
 *   const cirein_compute_table table = {CIREIN_COMPUTE_VERSION, 1, entries};
 *   extern "C" const cirein_compute_table* cirein_compute_library(void) { return &table; }
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of all that stands here. A library of another version is refused. */
#define CIREIN_COMPUTE_VERSION 1u

/* Memory of Cirein's, valid during the call. Not ended by a zero. */
typedef struct cirein_bytes {
  const void* data;
  size_t size; /* In bytes. */
} cirein_bytes;

/* One object of the row. */
typedef struct cirein_compute_object {
  cirein_bytes column; /* Its data is null for the object without column. */
  cirein_bytes meta;
  cirein_bytes data;
  uint16_t type;
} cirein_compute_object;

/* The objects of one row that matched, sorted by column, never none. */
typedef struct cirein_compute_input {
  cirein_bytes row;
  cirein_bytes args;
  const cirein_compute_object* objects;
  size_t object_count;
} cirein_compute_input;

/* What the function makes. */
typedef struct cirein_compute_output cirein_compute_output;
struct cirein_compute_output {
  /* Makes the result, to be filled: sets meta and data below. 0, or a code that the function
     returns in its turn. A second call makes another one instead. */
  int32_t (*allocate)(cirein_compute_output* output, size_t meta_size, size_t data_size);
  /* Why the function returns a code: a text that ends with a zero, which is copied. */
  void (*explain)(cirein_compute_output* output, const char* why);
  void* meta;
  void* data;
  uint16_t type; /* Of the result; 0 at first. */
};

/* Runs at the owner of the row, on a compute thread; several may run at once. Returns 0 when there
   is a result, else the number of a cirein::StatusCode (1 INVALID_ARGUMENT, 2 NOT_FOUND, ...,
   13 ABORTED), which the caller gets with what was explained. An exception ends here and becomes
   ABORTED. */
typedef int32_t (*cirein_compute_function)(const cirein_compute_input* input,
                                           cirein_compute_output* output);

typedef struct cirein_compute_entry {
  const char* name; /* Letters, digits, '_', '-', '.', up to 64. */
  cirein_compute_function function;
} cirein_compute_entry;

typedef struct cirein_compute_table {
  uint32_t version; /* CIREIN_COMPUTE_VERSION. First in every version. */
  uint32_t count;   /* 1 to 1024. */
  const cirein_compute_entry* functions;
} cirein_compute_table;

/* The one function that the library exports. Called once; the library stays loaded until the end of
   the process. */
const cirein_compute_table* cirein_compute_library(void);

#ifdef __cplusplus
}
#endif
