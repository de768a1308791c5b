"""Names that vulture takes for unused because a library reads or calls them."""

# ruff: noqa: B018, F821, D
# pydantic
_.model_config
# the window binds settings to its state by name (ui/state/setting.py)
_.hints_seen
_.live_out_address
_.live_out_protocol
_.export_folder
_.export_presets
_.batch_folder
# Qt, vispy and pickle call these methods
_.dragEnterEvent
_.dropEvent
_.focusInEvent
_.mousePressEvent
_.mouseReleaseEvent
_.paintEvent
_.on_draw
_.on_key_press
_.on_mouse_move
_.on_mouse_press
_.on_mouse_release
_.on_mouse_wheel
_.find_class
_.persistent_load
# TensorRT calls the build monitor
_.phase_start
_.phase_finish
_.step_complete
# torch calls these
_.symbolic
closure
# signatures that are given by a protocol
exc
propId
# attributes that configure PyAV, NumPy, filterpy, ONNX Runtime, TensorRT, pycocotools and inspect
_.H
_.pix_fmt
_.bit_rate
_.colorspace
_.color_range
_.color_primaries
_.color_trc
_.is_keyframe
_.thread_count
_.thread_type
_.writeable
_.intra_op_num_threads
_.log_severity_level
_.graph_optimization_level
_.optimized_model_filepath
_.progress_monitor
_.num_compute_capabilities
_.cuda_graph_strategy
_.dataset
_.__signature__
_.__annotations__
# fields of MediaPipe's flatbuffers
_.colorSpace
_.contentProperties
_.contentPropertiesType
_.optionsType
_.processUnits
_.inputTensorMetadata
_.outputTensorMetadata
_.subgraphMetadata
# fields that files and reports carry
_.spread_2d
_.model_sha256
_.config_sha256
_.normalisation
_.precisions
_.millimetres
# the public Python API and the attributes that Python itself calls
_.to_dict
__getattr__
__dir__
_.__class__
# entry points of the trainer
published_speed
# MkDocs calls its hooks
on_files
# http.server calls its handlers and reads this attribute
do_GET
log_message
_.daemon_threads
