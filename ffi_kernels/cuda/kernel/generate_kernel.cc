// SPDX-License-Identifier: Apache-2.0
// Implementation of generate_kernel.h.
#include "ffi_kernels/cuda/kernel/generate_kernel.h"

#include <algorithm>
#include <cstdint>

#include "ffi_kernels/cuda/kernel/generate_body.h"
#include "ffi_kernels/cuda/kernel/workspace_layout.h"
#include "row_program/kernel_name.h"

namespace jax_oneshot::cuda {
namespace {

constexpr char kTemplate[] =
#include "ffi_kernels/cuda/kernel/device_template.inc"
    ;

constexpr char kTwoShot[] =
#include "ffi_kernels/cuda/kernel/device_two_shot.inc"
    ;

constexpr char kKernel[] =
#include "ffi_kernels/cuda/kernel/device_kernel.inc"
    ;

class Constants {
 public:
  void Add(const char* name, int64_t value) { Add("int", name, std::to_string(value)); }
  void Add(const char* type, const char* name, const std::string& value) {
    text_ += std::string("constexpr ") + type + " " + name + " = " + value + ";\n";
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string ConstantsText(const RowProgram& program, const LaunchPlan& plan, const Body& body) {
  Constants constants;
  constants.Add("kRanks", plan.group_size);
  constants.Add("kRows", plan.rows);
  constants.Add("kWidth", plan.width);
  constants.Add("kVector", plan.vector);
  constants.Add("kChunks", plan.chunks);
  constants.Add("kThreadsPerRow", plan.threads_per_row);
  constants.Add("kRowsPerBlock", plan.rows_per_block);
  constants.Add("kBlocksPerRow", plan.blocks_per_row);
  constants.Add("bool", "kCluster", plan.cluster ? "true" : "false");
  constants.Add("kRowGroups", plan.row_groups);
  constants.Add("kRowSteps", plan.row_steps);
  constants.Add("kBlocksPerMultiprocessor", plan.blocks_per_multiprocessor);
  constants.Add("kInputs", static_cast<int64_t>(program.inputs.size()));
  constants.Add("kOutputs", static_cast<int64_t>(program.outputs.size()));
  constants.Add("kMostReductions", std::max(1, body.most_reductions));
  constants.Add("kSlots", kSlots);
  constants.Add("kSlotsOffset", WorkspaceLayout::SlotsOffset());
  constants.Add("unsigned", "kEpochEntries", std::to_string(kEpochEntries));
  constants.Add("unsigned", "kEpochPeriod", std::to_string(kEpochPeriod) + "u");
  constants.Add("unsigned", "kSentinel", std::to_string(kSentinel) + "u");
  constants.Add("unsigned", "kMessageBytes", std::to_string(plan.message_bytes) + "u");
  // The kernel's cluster attribute and its name need the preprocessor.
  return constants.text() + "#define ONESHOT_CLUSTER " + (plan.cluster ? "1" : "0") + "\n#define oneshot_kernel " +
         KernelName(program, plan.rows, plan.width, plan.group_size) + "\n";
}

}  // namespace

std::string GenerateKernel(const RowProgram& program, const LaunchPlan& plan) {
  const Body body = GenerateBody(program, plan);
  const char* two_shot = plan.algorithm == Algorithm::kTwoShot ? kTwoShot : "";
  return ConstantsText(program, plan, body) + kTemplate + "\n" + two_shot + "\n" + body.text + kKernel;
}

std::vector<std::string> CompilerOptions() {
  // -v: the log reports registers and spills. No warnings, because random programs compute values that nothing reads.
  return {"--std=c++17",      "--fmad=false",       "--ftz=false",       "--prec-div=true",
          "--prec-sqrt=true", "--disable-warnings", "--ptxas-options=-v"};
}

}  // namespace jax_oneshot::cuda
