"""What the tests use of a file that oracle.py wrote.  usage: trim.py ORACLE.json OUT.json"""
import json, sys
import numpy as np
source, out = sys.argv[1:]
g = json.load(open(source))
own = (g["net"], g["form"]) == ("inception_v3", "torchvision")   # its transform_input undoes the preparation: the image as prepared is none of ours
# VGG16's taps are named as in the paper's figures, the other networks' as its layers.
named = lambda t: t["keras3"] if g["net"] == "vgg16" and t["keras2"] and t["keras3"] != "input" else t["name"]
taps = [dict(name=named(t), shape=t["shape"], f32_max_abs_err=t["f32_max_abs_err"], pearson=t["pearson"][0][1],
             images=[dict(mean=i["mean"], std=i["std"], l2=i["l2"], values=[[k, float(str(np.float32(v)))] for k, v in i["values"]]) for i in t["images"]])
        for t in g["taps"] if t["name"] != "logits" and not (own and t["name"] == "pixels_input")]
json.dump(dict(network=g["net"], size=g["input_size"], taps=taps), open(out, "w"), separators=(",", ":"))
