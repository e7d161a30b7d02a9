"""What the tests use of a file that oracle.py wrote.  usage: trim.py ORACLE.json OUT.json"""
import json, sys
import numpy as np
source, out = sys.argv[1:]
g = json.load(open(source))
taps = [dict(name=t["keras3"] if t["name"] not in ("pixels_raw", "pixels_input") else t["name"], shape=t["shape"], f32_max_abs_err=t["f32_max_abs_err"], pearson=t["pearson"][0][1],
             images=[dict(mean=i["mean"], std=i["std"], l2=i["l2"], values=[[k, float(str(np.float32(v)))] for k, v in i["values"]]) for i in t["images"]])
        for t in g["taps"] if t["name"] != "logits"]
json.dump(dict(network=g["net"], size=g["input_size"], taps=taps), open(out, "w"), separators=(",", ":"))
