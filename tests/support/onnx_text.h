/* Whole ONNX models from a few lines of text, for tests that run models:
 *
 *     in x float32 [batch, 3]              an input; `in s seq float32` a sequence,
 *                                          `in o opt seq float32` an optional
 *     out y float32 [batch, 3]             an output; the type may be left out
 *     const w float32 [2, 3] 1 2 3         values repeat; `random` draws them from [-1, 1)
 *     If(c) -> (y)                         a node, as onnx_write_node reads it
 *     { then_branch                        a nested graph of the node above it
 *     Add(x, w) -> (z)
 *     out z
 *     }
 *
 * A const with the name of an input is that input's default. */
#ifndef ONNX_TEXT_H
#define ONNX_TEXT_H

#include "heed/heed.h"
#include "onnx_write.h"

/* The bytes of a model of opset 21; aborts on text that it cannot read. */
onnx_message onnx_text_model(const char *text);

/* The model, loaded from memory; `bytes` must be freed after it. NULL: the error is printed. */
heed_model *onnx_text_load(const char *text, onnx_message *bytes);
heed_session *onnx_text_session(const char *text, const heed_session_options *options,
                                onnx_message *bytes);

#endif
