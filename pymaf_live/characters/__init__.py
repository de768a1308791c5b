"""The user's own characters: import, bone mapping, retargeting, skinning.

A character is a file of another program (VRM, glTF, FBX) with a skeleton and skinned meshes. Its
rest pose and the axes of its bones are measured from the file, never assumed.

`load.load_character` reads a file, `mapping.find_mapping` maps its bones, `retarget.Retargeter`
puts motion on it. The package imports nothing by itself: the process that reads FBX starts faster.
"""
