// SPDX-License-Identifier: Apache-2.0
// Implementation of fake_xla.h.
#include "ffi_kernels/fake_xla.h"

#include <future>
#include <memory>

// The types that FFI's C API leaves to the runtime.
struct XLA_FFI_Error {
  std::string message;
};
struct XLA_FFI_Future {
  std::promise<std::string> outcome;  // the error, or an empty string
};
struct XLA_FFI_InvokeContext {
  int64_t run_id;
  void* state;
};

namespace jax_oneshot {
namespace {

std::string TakeMessage(XLA_FFI_Error* error) {
  if (error == nullptr) return "";
  return std::unique_ptr<XLA_FFI_Error>(error)->message;
}

XLA_FFI_Api MakeApi() {
  XLA_FFI_Api api = {};
  api.struct_size = XLA_FFI_Api_STRUCT_SIZE;
  api.api_version = {XLA_FFI_Api_Version_STRUCT_SIZE, nullptr, XLA_FFI_API_MAJOR, XLA_FFI_API_MINOR};
  api.XLA_FFI_Error_Create = [](XLA_FFI_Error_Create_Args* args) { return new XLA_FFI_Error{args->message}; };
  api.XLA_FFI_Error_GetDetails = [](XLA_FFI_Error_GetDetails_Args* args) {
    args->message = args->error->message.c_str();
    args->errc = XLA_FFI_Error_Code_UNKNOWN;
  };
  api.XLA_FFI_Error_Destroy = [](XLA_FFI_Error_Destroy_Args* args) { delete args->error; };
  api.XLA_FFI_State_Set = [](XLA_FFI_State_Set_Args* args) -> XLA_FFI_Error* {
    args->ctx->state = args->state;
    return nullptr;
  };
  api.XLA_FFI_State_Get = [](XLA_FFI_State_Get_Args* args) -> XLA_FFI_Error* {
    args->state = args->ctx->state;
    return nullptr;
  };
  api.XLA_FFI_RunId_Get = [](XLA_FFI_RunId_Get_Args* args) -> XLA_FFI_Error* {
    args->run_id = args->ctx->run_id;
    return nullptr;
  };
  api.XLA_FFI_Future_Create = [](XLA_FFI_Future_Create_Args* args) -> XLA_FFI_Error* {
    args->future = new XLA_FFI_Future;
    return nullptr;
  };
  api.XLA_FFI_Future_SetAvailable = [](XLA_FFI_Future_SetAvailable_Args* args) -> XLA_FFI_Error* {
    args->future->outcome.set_value("");
    return nullptr;
  };
  api.XLA_FFI_Future_SetError = [](XLA_FFI_Future_SetError_Args* args) -> XLA_FFI_Error* {
    args->future->outcome.set_value(TakeMessage(args->error));
    return nullptr;
  };
  return api;
}

const XLA_FFI_Api& Api() {
  static const XLA_FFI_Api api = MakeApi();
  return api;
}

XLA_FFI_CallFrame Frame(XLA_FFI_InvokeContext* context, XLA_FFI_ExecutionStage stage) {
  XLA_FFI_CallFrame frame = {};
  frame.struct_size = XLA_FFI_CallFrame_STRUCT_SIZE;
  frame.api = &Api();
  frame.ctx = context;
  frame.stage = stage;
  frame.args.struct_size = XLA_FFI_Args_STRUCT_SIZE;
  frame.rets.struct_size = XLA_FFI_Rets_STRUCT_SIZE;
  frame.attrs.struct_size = XLA_FFI_Attrs_STRUCT_SIZE;
  return frame;
}

// Attributes as C structs. Points into `attributes`; a map is sorted by name, as FFI requires.
class RawAttributes {
 public:
  explicit RawAttributes(const FakeAttributes& attributes) {
    for (const auto& [name, value] : attributes) {
      names_.push_back(std::make_unique<XLA_FFI_ByteSpan>(XLA_FFI_ByteSpan{name.data(), name.size()}));
      name_pointers_.push_back(names_.back().get());
      std::visit([this](const auto& of_type) { Add(of_type); }, value);
    }
  }

  XLA_FFI_Attrs Get() {
    return {XLA_FFI_Attrs_STRUCT_SIZE, nullptr,       static_cast<int64_t>(types_.size()), types_.data(),
            name_pointers_.data(),     values_.data()};
  }

 private:
  void Add(const int64_t& value) {
    scalars_.push_back(
        std::make_unique<XLA_FFI_Scalar>(XLA_FFI_Scalar{XLA_FFI_DataType_S64, const_cast<int64_t*>(&value)}));
    Add(XLA_FFI_AttrType_SCALAR, scalars_.back().get());
  }
  void Add(const std::string& value) {
    strings_.push_back(std::make_unique<XLA_FFI_ByteSpan>(XLA_FFI_ByteSpan{value.data(), value.size()}));
    Add(XLA_FFI_AttrType_STRING, strings_.back().get());
  }
  void Add(const std::vector<int64_t>& value) {
    arrays_.push_back(std::make_unique<XLA_FFI_Array>(
        XLA_FFI_Array{XLA_FFI_DataType_S64, value.size(), const_cast<int64_t*>(value.data())}));
    Add(XLA_FFI_AttrType_ARRAY, arrays_.back().get());
  }
  void Add(XLA_FFI_AttrType type, void* value) {
    types_.push_back(type);
    values_.push_back(value);
  }

  std::vector<std::unique_ptr<XLA_FFI_ByteSpan>> names_, strings_;
  std::vector<std::unique_ptr<XLA_FFI_Scalar>> scalars_;
  std::vector<std::unique_ptr<XLA_FFI_Array>> arrays_;
  std::vector<XLA_FFI_ByteSpan*> name_pointers_;
  std::vector<XLA_FFI_AttrType> types_;
  std::vector<void*> values_;
};

// Buffers as C structs. Points into `buffers`.
class RawBuffers {
 public:
  explicit RawBuffers(const std::vector<FakeBuffer>& buffers) {
    raw_.reserve(buffers.size());
    for (const FakeBuffer& buffer : buffers) {
      raw_.push_back({XLA_FFI_Buffer_STRUCT_SIZE, nullptr, static_cast<XLA_FFI_DataType>(buffer.dtype), buffer.data,
                      static_cast<int64_t>(buffer.dimensions.size()), const_cast<int64_t*>(buffer.dimensions.data())});
      pointers_.push_back(&raw_.back());
    }
    argument_types_.assign(buffers.size(), XLA_FFI_ArgType_BUFFER);
    result_types_.assign(buffers.size(), XLA_FFI_RetType_BUFFER);
  }

  XLA_FFI_Args AsArguments() {
    return {XLA_FFI_Args_STRUCT_SIZE, nullptr, static_cast<int64_t>(raw_.size()), argument_types_.data(),
            pointers_.data()};
  }
  XLA_FFI_Rets AsResults() {
    return {XLA_FFI_Rets_STRUCT_SIZE, nullptr, static_cast<int64_t>(raw_.size()), result_types_.data(),
            pointers_.data()};
  }

 private:
  std::vector<XLA_FFI_Buffer> raw_;
  std::vector<void*> pointers_;
  std::vector<XLA_FFI_ArgType> argument_types_;
  std::vector<XLA_FFI_RetType> result_types_;
};

}  // namespace

FakeXla::FakeXla(XLA_FFI_TypeId* state_type, const XLA_FFI_TypeInfo* state_info) : state_info_(state_info) {
  state_type->type_id = 1;  // any value but XLA_FFI_UNKNOWN_TYPE_ID, which is zero
}

FakeXla::~FakeXla() {
  if (state_ != nullptr) state_info_->deleter(state_);
}

std::string FakeXla::Instantiate(XLA_FFI_Handler* handler, const FakeAttributes& attributes) {
  XLA_FFI_InvokeContext context = {0, nullptr};
  RawAttributes raw(attributes);
  XLA_FFI_CallFrame frame = Frame(&context, XLA_FFI_ExecutionStage_INSTANTIATE);
  frame.attrs = raw.Get();
  std::string error = TakeMessage(handler(&frame));
  state_ = context.state;
  return error;
}

std::string FakeXla::Execute(XLA_FFI_Handler* handler, int64_t run_id, const std::vector<FakeBuffer>& arguments,
                             const std::vector<FakeBuffer>& results) const {
  XLA_FFI_InvokeContext context = {run_id, state_};
  RawBuffers raw_arguments(arguments), raw_results(results);
  XLA_FFI_CallFrame frame = Frame(&context, XLA_FFI_ExecutionStage_EXECUTE);
  frame.args = raw_arguments.AsArguments();
  frame.rets = raw_results.AsResults();
  if (XLA_FFI_Error* error = handler(&frame)) return TakeMessage(error);
  const std::unique_ptr<XLA_FFI_Future> future(frame.future);
  return future->outcome.get_future().get();
}

}  // namespace jax_oneshot
