// SPDX-License-Identifier: Apache-2.0
// Checks the buffers that XLA passes to one execution of a call against the row program: element type and size of every
// operand and result. One error names every buffer that does not match.
#ifndef FFI_KERNELS_BOUNDARY_H_
#define FFI_KERNELS_BOUNDARY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "row_program/row_program.h"
#include "xla/ffi/api/ffi.h"

namespace jax_oneshot {

// Whether replica-id and partition-id follow the operands (call_attributes.h).
enum class TrailingIds : uint8_t { kNone, kReplicaAndPartition };

// All buffers of one execution, in order.
std::vector<xla::ffi::AnyBuffer> AllOf(const xla::ffi::RemainingArgs& args);
std::vector<xla::ffi::AnyBuffer> AllOf(const xla::ffi::RemainingRets& rets);

class Boundary {
 public:
  // Operands: the program's inputs, on CPU followed by two u32 scalars. Results: the program's outputs. The buffer of a
  // sharded input or output holds 1/`ranks` of its elements.
  Boundary(const RowProgram& program, int64_t rows, int64_t width, int64_t ranks, TrailingIds ids);

  size_t operand_count() const { return operands_.size(); }
  size_t result_count() const { return results_.size(); }

  bool OperandFits(size_t i, const xla::ffi::AnyBuffer& buffer) const { return Fits(operands_[i], buffer); }
  bool ResultFits(size_t i, const xla::ffi::AnyBuffer& buffer) const { return Fits(results_[i], buffer); }

  // Empty if every buffer matches.
  std::string Problems(const std::vector<xla::ffi::AnyBuffer>& operands,
                       const std::vector<xla::ffi::AnyBuffer>& results) const;

 private:
  struct Expected {
    xla::ffi::DataType dtype;
    int64_t elements;
    std::string name;  // "operand 1 (a1: local bf16 row)"
  };

  static bool Fits(const Expected& expected, const xla::ffi::AnyBuffer& buffer) {
    return buffer.element_type() == expected.dtype && static_cast<int64_t>(buffer.element_count()) == expected.elements;
  }
  static void Check(const std::vector<Expected>& expected, const std::vector<xla::ffi::AnyBuffer>& buffers,
                    const char* kind, std::string* problems);

  std::vector<Expected> operands_, results_;
};

}  // namespace jax_oneshot

#endif  // FFI_KERNELS_BOUNDARY_H_
