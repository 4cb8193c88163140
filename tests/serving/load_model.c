/* Load a SavedModel as a server does, without Python, run it, and compare bit for bit.

   Usage: load_model SAVED_MODEL CASES

   CASES holds one request after another: its inputs, then the outputs that are expected. Each of
   both is an int32 count, and for each tensor: its name ("operation:index", preceded by its length
   as an int32), type, rank (int32), dimensions (int64), number of bytes (int64), and the bytes.
   Strings are, one after the other, a length (int64) and the bytes. All in the machine's order. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

enum { MOST = 16 };

static void fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static void take(void *into, size_t size, FILE *file) {
  if (size && fread(into, size, 1, file) != 1) fail("cases", "cut short");
}

static void check(const TF_Status *status, const char *what) {
  if (TF_GetCode(status) != TF_OK) fail(what, TF_Message(status));
}

typedef struct {
  char name[256];
  TF_Output place;
  TF_Tensor *value;
} Named;

static void forget(void *data, size_t size, void *unused) { free(data); }

static TF_Tensor *take_tensor(FILE *file) {
  int32_t type, rank;
  int64_t dims[8], size, elements = 1;
  take(&type, sizeof type, file);
  take(&rank, sizeof rank, file);
  if (rank > 8) fail("cases", "a tensor of more than 8 dimensions");
  take(dims, rank * sizeof *dims, file);
  take(&size, sizeof size, file);
  for (int32_t i = 0; i < rank; i++) elements *= dims[i];
  if (type != TF_STRING) {
    TF_Tensor *tensor = TF_AllocateTensor(type, dims, rank, size);
    take(TF_TensorData(tensor), size, file);
    return tensor;
  }
  TF_TString *strings = calloc(elements ? elements : 1, sizeof *strings);
  for (int64_t i = 0; i < elements; i++) {
    int64_t length;
    take(&length, sizeof length, file);
    char *bytes = malloc(length + 1);
    take(bytes, length, file);
    TF_StringInit(&strings[i]);
    TF_StringCopy(&strings[i], bytes, length);
    free(bytes);
  }
  return TF_NewTensor(type, dims, rank, strings, elements * sizeof *strings, forget, NULL);
}

static int32_t take_named(Named *tensors, TF_Graph *graph, FILE *file) {
  int32_t count;
  take(&count, sizeof count, file);
  if (count > MOST) fail("cases", "too many tensors");
  for (int32_t i = 0; i < count; i++) {
    int32_t length;
    take(&length, sizeof length, file);
    if (length >= (int32_t)sizeof tensors[i].name) fail("cases", "a name is too long");
    take(tensors[i].name, length, file);
    tensors[i].name[length] = 0;
    char operation[256], *colon;
    strcpy(operation, tensors[i].name);
    if (!(colon = strchr(operation, ':'))) fail(operation, "no name of a tensor");
    *colon = 0;
    tensors[i].place.oper = TF_GraphOperationByName(graph, operation);
    tensors[i].place.index = atoi(colon + 1);
    if (!tensors[i].place.oper) fail(operation, "not in the graph");
    tensors[i].value = take_tensor(file);
  }
  return count;
}

static int equal(const TF_Tensor *a, const TF_Tensor *b) {
  if (TF_TensorType(a) != TF_TensorType(b) || TF_NumDims(a) != TF_NumDims(b)) return 0;
  for (int i = 0; i < TF_NumDims(a); i++)
    if (TF_Dim(a, i) != TF_Dim(b, i)) return 0;
  if (TF_TensorType(a) != TF_STRING)
    return TF_TensorByteSize(a) == TF_TensorByteSize(b) &&
           !memcmp(TF_TensorData(a), TF_TensorData(b), TF_TensorByteSize(a));
  const TF_TString *left = TF_TensorData(a), *right = TF_TensorData(b);
  for (int64_t i = 0; i < TF_TensorElementCount(a); i++) {
    size_t size = TF_StringGetSize(&left[i]);
    if (size != TF_StringGetSize(&right[i])) return 0;
    if (memcmp(TF_StringGetDataPointer(&left[i]), TF_StringGetDataPointer(&right[i]), size)) return 0;
  }
  return 1;
}

int main(int count, char **arguments) {
  if (count != 3) fail("usage", "load_model SAVED_MODEL CASES");
  const char *tags[] = {"serve"};
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  TF_Session *session = TF_LoadSessionFromSavedModel(options, NULL, arguments[1], tags, 1, graph,
                                                     NULL, status);
  check(status, "load");
  FILE *file = fopen(arguments[2], "rb");
  if (!file) fail(arguments[2], "cannot be read");
  int done = 0;
  for (int next; (next = fgetc(file)) != EOF; done++) {
    ungetc(next, file);
    Named inputs[MOST], outputs[MOST];
    TF_Output feeds[MOST], fetches[MOST];
    TF_Tensor *fed[MOST], *fetched[MOST];
    int32_t n_inputs = take_named(inputs, graph, file), n_outputs = take_named(outputs, graph, file);
    for (int i = 0; i < n_inputs; i++) feeds[i] = inputs[i].place, fed[i] = inputs[i].value;
    for (int i = 0; i < n_outputs; i++) fetches[i] = outputs[i].place;
    TF_SessionRun(session, NULL, feeds, fed, n_inputs, fetches, fetched, n_outputs, NULL, 0, NULL,
                  status);
    check(status, "run");
    for (int i = 0; i < n_outputs; i++) {
      if (!equal(fetched[i], outputs[i].value)) fail(outputs[i].name, "differs");
      TF_DeleteTensor(fetched[i]);
    }
  }
  printf("%d requests, equal bit for bit\n", done);
  return 0;
}
