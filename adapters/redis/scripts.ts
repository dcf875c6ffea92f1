// Made by "npm run lua" of the files in lua/. Not to be edited.

const counts = `function F.cR()
local p={now=v,todo={},groups={},none=0}
p.todo[1]={'log','',0}
for L,a in pairs(F.c())do
p.groups[L]={ended=0,ready=0,delayed=0,blocked=0,parked=0}
for _,u in ipairs({'reap','ends','join'})do
p.todo[#p.todo+1]={u,L,0}
end
end
return p
end
function F.bf(k,i,T,S)
local G=g('ZRANGE',k,i,i+T - 1,'WITHSCORES')
local E={}
for f=1,#G,2 do
if tonumber(G[f+1])>S then
return E
end
E[#E+1]=G[f]
end
return E,#E==T and i+T or nil
end
local cI={}
function cI.log(p,_,i)
if not e.reap or e.reap>p.now then
return nil,0
end
local E,next=F.bf(n .. 'expiry',i,64,p.now)
local K=0
for _,t in ipairs(E)do
local l=F.p(tonumber(t))
if l then
local az,av=F.ae(l.first,l.last),F.ai(l.first,l.last)
local dB=l.columns and l.columns.expires or{}
K=K+l.count+16
for f=1,l.count do
local c=l.first+f - 1
local bs=dB[f]
if az and az[c] then
bs=az[c].expires
end
if bs and bs<=p.now and not(av and av[c])then
p.none=p.none - 1
for L,a in pairs(aw)do
if c>=a.row.cursor and p.groups[L] then
p.groups[L].ready=p.groups[L].ready - 1
end
end
end
end
end
end
return next,K
end
function cI.reap(p,a,i)
local Z=a.row.lanes
if a.row.waiting+a.row.blocked+(a.row.parked or 0)==0 and not(Z and Z.flows>0)then
return nil,0
end
local E,next=F.bf(F.a(a,'reap'),i,500,p.now)
local aE=p.groups[a.name]
if #E>0 then
local aM=g('HMGET',F.a(a,'side'),unpack(E))
for f=1,#E do
local j=aM[f] and cmsgpack.unpack(aM[f])
local cY=j and j.blocked or not j and tonumber(E[f])<281474976710656
local ba=cY and 'blocked' or 'ready'
if j and not j.blocked then
ba=j.parked and 'parked' or j.at>p.now and 'delayed' or 'ready'
end
aE[ba]=aE[ba] - 1
end
end
return next,#E
end
function cI.ends(p,a,i)
if a.row.leased==0 then
return nil,0
end
local E,next=F.bf(F.a(a,'ends'),i,500,p.now)
local aE=p.groups[a.name]
for _,t in ipairs(E)do
local q=string.match(t,'^%d+$')and{first=0,last=0}or F.Z(t)
aE.ended=aE.ended+q.last - q.first+1
end
return next,#E
end
function cI.join(p,a,i)
local B=a.row.join
if not B then
return nil,0
end
if i>=B.bound - 1 then
F.ao(B)
end
B.from=math.max(B.from,i)
local x,at=F.av(a,500)
for _,b in ipairs(x)do
if not b.expires or b.expires>p.now then
p.groups[a.name].ready=p.groups[a.name].ready+1
end
end
if at<B.bound or B.lanes then
return at - 1,#x
end
return nil,#x
end
function F.ck(p,T)
while #p.todo>0 do
if T<=0 then
return false
end
local ak=p.todo[1]
local u,L=ak[1],ak[2]
local a=u=='log' or p.groups[L] and aw[L]
local next,K
if a then
next,K=cI[u](p,a,ak[3])
T=T - K
end
if next then
ak[3]=next
else
table.remove(p.todo,1)
end
end
return true
end
function F.bS(S)
if not e.timer or e.timer>S then
return 0,0
end
local Q=g('ZCOUNT',n .. 'timers','-inf',S)
return Q,g('ZCOUNT',n .. 'lapse','-inf',S)
end
function F.dA(bm,S)
local Q=g('ZCOUNT',n .. 'timers',string.format('(%.0f',bm.at),S)
local bZ=0
for _,t in ipairs(g('ZRANGEBYSCORE',n .. 'lapse','-inf',S,'LIMIT',0,2000))do
local m=tonumber(g('ZSCORE',n .. 'timers',t))
bZ=bZ+(m and m>bm.at and 1 or 0)
end
return Q,bZ
end
function F.bR(p,a)
local d,aE,S=a.row,p.groups[a.name],p.now
local dh,bZ=F.bS(S)
local db=e.delayed - dh
if d.since and dh>0 then
dh,bZ=F.dA(d.since,S)
end
local Q=d.waiting>0 and g('ZCOUNT',F.a(a,'due'),'-inf',S)or 0
local bw,bf=e.tail - d.cursor - F.bQ(d.cursor),aE.ended
local Z=d.lanes
if Z and Z.flows>0 then
Q=Q+Z.again+g('ZCOUNT',F.a(a,'rests'),'-inf',S)
bw=bw+Z.ahead
bf=bf+Z.lost+g('ZCOUNT',F.a(a,'lends'),'-inf',S)
end
return bw+Q+dh - bZ+bf+aE.ready,
d.leased - bf,
db+d.waiting - Q+aE.delayed,
d.blocked+aE.blocked,
(d.parked or 0)+aE.parked
end
function F.aH(p)
local T=0
for L in pairs(p.groups)do
local aY,aW,ch,aC,bG=F.bR(p,aw[L])
T=math.max(T,aY+aW+ch+aC+bG)
end
if e.groups==0 then
local A=F.J()
local _,bZ=F.bS(p.now)
T=e.tail -(A and A.first or e.tail)- F.bQ(0)+e.delayed - bZ+p.none
if e.early then
T=T+e.early - g('ZCOUNT',n .. 'earlyreap','-inf',p.now)
end
end
return T
end
function F.dB(enough)
if not enough then
return 0
end
local p=F.cR()
local x=F.aH(p)
if x>enough then
local dp={}
for _,ak in ipairs(p.todo)do
if ak[1]~='ends' then
dp[#dp+1]=ak
end
end
p.todo=dp
F.ck(p,10000)
x=F.aH(p)
end
return x
end
function F.bP()
local A=F.J()
local aa=e.later+(e.earlyBytes or 0)+(A and e.bytes - A.bytes or 0)
for _,a in pairs(F.c())do
aa=aa+a.row.outside
end
return aa
end
`

const drop = `function F.dC(s,b)
local t=F.b(s)
g('ZREM',n .. 'timers',t)
g('HDEL',n .. 'delayed',t)
if b.expires then
g('ZREM',n .. 'lapse',t)
end
e.delayed=e.delayed - 1
e.later=e.later - #b.record
if e.delayed==0 then
e.timer=nil
end
ac=true
end
function F.bW(w,y)
if y.number then
local b=F.A(y.number)
if not b then
return false
end
F.dC(y.number,b)
g('HDEL',n .. 'ids',w)
g('ZREM',n .. 'past',w)
return true
end
local c=y.seq
local be=e.early and e.groups==0 and F.I(c)
if be then
F.bX(be)
end
local et=be or e.groups==0 and F.aW(c)
dE=false
for _,a in pairs(F.c())do
local i=F.t(a,c)
if i then
F.bk(a,i,F.ba(a,i,c))
et=true
end
end
dE=true
for k in pairs(e.ghosts or{})do
g('ZREMRANGEBYSCORE',n .. k,c,c)
end
if not et then
return false
end
if F.p(c)then
F.cz(c)
end
local d=g('HGET',n .. 'ids',w)
if d and F.E(d).seq==c then
g('HDEL',n .. 'ids',w)
g('ZREM',n .. 'past',w)
end
return true
end
function F.ee()
if e.gone==0 then
return
end
for _,a in pairs(F.c())do
local d=a.row
for _=1,16 do
local l=d.cursor<e.tail and F.p(d.cursor)
if
not l
or g('ZCOUNT',n .. 'gone',d.cursor,l.last)<l.last - d.cursor+1
then
break
end
d.cursor=l.last+1
d.passed=l.bytes+F.bp(l,1,l.count)
a.changed=true
end
end
if e.groups==0 then
for _=1,16 do
local l=F.J()
if not l or g('ZCOUNT',n .. 'gone',l.first,l.last)<l.count then
break
end
F.aa(l.last+1,l.count)
end
end
end
`

const empty = `F.bB={'log','amend','gone','expiry','reaps','timers','delayed','lapse','early','earlyreap'}
F.dh={'state','ids','past','holds','places','over'}
function F.bv(kinds)
for _,u in ipairs(kinds)do
g('UNLINK',n .. u)
end
end
function F.cN()
local da,dj=pcall(function()
F.j()
F.c()
end)
if not da then
local ec=type(dj)=='table' and dj.err or dj
local eo=string.match(ec,'^%-?(%u%u+) ')
if eo and eo~='WRONGTYPE' then
error(dj)
end
end
return da
end
function F.ce()
F.bv(F.bB)
for k in pairs(e.ghosts or{})do
g('UNLINK',n .. k)
end
for _,cj in ipairs({'delayed','later','amended','gone','reaps','joining','late'})do
e[cj]=0
end
for _,cj in ipairs({'timer','behind','ghosts','untidy','early','earlyBytes'})do
e[cj]=nil
end
ac=true
for u,type in pairs({ids='hash',past='zset'})do
if g('TYPE',n .. u).ok~=type then
g('UNLINK',n .. u)
end
end
F.bT()
end
function F.cg(m)
if #ARGV<m then
return 2
end
for f=m,#ARGV do
g('UNLINK',n .. ARGV[f])
end
redis.pcall('PUBLISH',n .. 'changed','wake')
return 0
end
`

const expire = `function F.dG(b)
for _,a in pairs(F.c())do
if b.seq>=a.row.cursor then
if a.row.parksNext and b.key then
F.ar(a,b)
end
F.R(a,b,0,'expired',nil,a.row.deadFor)
end
end
F.cz(b.seq)
end
function F.dH(t,T)
local I=tonumber(t)
local l=F.p(I)
local ds,next=0,nil
if l and l.last==I then
local az=F.ae(l.first,I)
local av=F.ai(l.first,I)
local dB=l.columns and l.columns.expires or{}
for f=1,l.count do
local c=l.first+f - 1
local bp=az and az[c]
local bs
if bp then
bs=bp.expires
else
bs=dB[f]
end
if bs and not(av and av[c])then
if bs<=v and ds<T then
ds=ds+1
F.dG(bp or F.V(l,f))
else
next=next and math.min(next,bs)or bs
end
end
end
end
if next then
g('ZADD',n .. 'expiry',next,t)
else
g('ZREM',n .. 'expiry',t)
e.reaps=e.reaps - g('ZREM',n .. 'reaps',t)
end
return ds+(l and math.ceil(l.count/32)or 1)
end
function F.er(a,T)
if a.row.dead==0 then
return 0
end
local E=g('ZRANGEBYSCORE',F.a(a,'fade'),'-inf',v,'LIMIT',0,T)
for _,t in ipairs(E)do
local _,d=F.x(a,tonumber(t))
if d then
F.ca(a,d)
else
g('ZREM',F.a(a,'fade'),t)
end
end
return #E
end
function F.T(k,bX)
local S=tonumber(g('ZRANGE',k,0,0,'WITHSCORES')[2])
return S and bX and math.min(S,bX)or S or bX
end
function F.eq(aB)
if not e.reap or e.reap>v then
return 0
end
local ah=256
for _,t in ipairs(g('ZRANGEBYSCORE',n .. 'expiry','-inf',v,'LIMIT',0,256))do
if ah>0 then
ah=ah - F.dH(t,ah)
end
end
local bX
local ea,T=0,math.max(1000,2*aB)
for _,a in pairs(F.c())do
local Z=a.row.lanes
if a.row.waiting+a.row.blocked+(a.row.parked or 0)>0 or Z and Z.flows>0 then
local E=ah>0
and g('ZRANGEBYSCORE',F.a(a,'reap'),'-inf',v,'LIMIT',0,ah)
or{}
for _,t in ipairs(E)do
local c=tonumber(t)
local i,b=F.t(a,c),F.r(a,c)
if not i or not b then
F.d('a message')
end
local j=i.side or{}
if a.row.parksNext and b.key then
F.ar(a,b)
end
F.bk(a,i,b)
local bJ=j.parked and j.parked.reason or j.error
F.R(a,b,j.attempt or 0,'expired',bJ,a.row.deadFor)
end
ah=ah - #E
end
if ah>0 then
ah=ah - F.er(a,ah)
end
bX=F.T(F.a(a,'fade'),F.T(F.a(a,'reap'),bX))
if a.row.kept then
ea=ea+F.et(a,math.max(1,T - ea))
bX=F.T(F.a(a,'until'),bX)
end
end
local cc=math.min(1000,g('ZCOUNT',n .. 'past','-inf',v))
if cc>0 then
g('ZREMRANGEBYRANK',n .. 'past',0,cc - 1)
end
e.reap=F.T(n .. 'past',F.T(n .. 'expiry',bX))
ac=true
return 2*(256 - ah)
end
`

const find = `function F.dN(s,w)
local l=F.p(s)
return l and F.cn(l,s - l.first+1)==w
end
function F.bV(w)
local es=#w==36 and string.match(w,'^%x%x%x%x%x%x%x%x$',29)
local bA=es and tonumber(es,16)
if not bA then
return nil
end
local bC=bA % 2
local eM=(bC==0 and e.tail or e.number)- 1
local s=eM -(eM -(bA - bC)/2)% 2147483648
return s>=1 and s,bC
end
function F.bn(w)
local s,bC=F.bV(w)
return s and s+bC*281474976710656
end
function F.A(s)
local d=g('HGET',n .. 'delayed',F.b(s))
return d and cmsgpack.unpack(d)
end
function F.ci(w)
local s,bC=F.bV(w)
if not s then
return nil
end
if bC==1 then
local b=F.A(s)
if b then
return b.id==w and{number=s}or nil
end
s=281474976710656+s
local be=e.early and F.I(s)
if be and be.id==w then
return{seq=s}
end
end
if bC==0 and F.dN(s,w)then
return{seq=s}
end
for _,a in pairs(F.c())do
local k=F.aw(a,s)or F.a(a,'held')
local b=F.M(k,s)
if b and b.id==w then
return{seq=s}
end
end
end
function F.B(w)
local d=g('HGET',n .. 'ids',w)
if d then
return(F.E(d))
end
return F.ci(w)
end
`

const group = `function F.an(aO,br,bH)
return{
token=aO,
cursor=br,
passed=bH,
floor=br,
trimmed=br,
cleared=bH,
leased=0,
out=0,
waiting=0,
blocked=0,
outside=0,
dead=0,
acked=0,
failed=0,
latest=0,
}
end
F.da={
'leases','ends','side','due','parked','named','reap','heads','chain','stops','dead','fade','letters',
'results','until','kept','progress','line','again','rests','lends','flows','lanes','ready','wake',
}
F.dq={'held','handed'}
function F.dQ(k)
if e.joining>0 then
for _,a in pairs(F.c())do
for _,ak in ipairs(a.row.join and a.row.join.keys or{})do
if ak==k then
return true
end
end
end
end
return false
end
function F.bi(k)
if F.dQ(k)then
e.ghosts=e.ghosts or{}
e.ghosts[k]=true
else
g('UNLINK',n .. k)
if e.ghosts then
e.ghosts[k]=nil
end
end
ac=true
end
function F.cc(a)
a.row.join=nil
a.changed=true
e.joining=e.joining - 1
F.bi('handed:' .. a.row.token)
for k in pairs(e.ghosts or{})do
F.bi(k)
end
end
function F.bw(a)
for _,u in ipairs(F.da)do
g('UNLINK',F.a(a,u))
end
F.g(e,'kept',-(a.row.kept or 0))
F.g(e,'keepers',-(a.row.keepers or 0))
if a.row.since then
e.late=e.late - 1
end
if a.row.join then
F.cc(a)
end
for _,u in ipairs(F.dq)do
F.bi(u .. ':' .. a.row.token)
end
end
function F.ed(B,k)
local ad={}
local I=B.lanes or B.bound
for _,aG in ipairs(B.parts and B.parts[k] or{{from=0,to=I,redrives=B.redrives}})do
local o,D=math.max(aG.from,B.from),math.min(aG.to,I)
if o+1<D then
ad[#ad+1]={from=o,to=D,redrives=math.min(aG.redrives,B.redrives)}
end
end
return ad
end
function F.dy(ad,aG)
for f=#ad,1,-1 do
local ar=ad[f]
if ar.from<=aG.from and ar.to>=aG.to and ar.redrives>=aG.redrives then
return
end
if aG.from<=ar.from and aG.to>=ar.to and aG.redrives>=ar.redrives then
table.remove(ad,f)
end
end
ad[#ad+1]=aG
end
function F.dR(aO,at)
local cG,cm,ad={'handed:' .. aO},{},{}
local function bB(k)
local cZ=not cm[k]
cm[k]=true
if
cZ
and(
g('ZCOUNT',n .. k,'-inf',string.format('(%.0f',at))>0
or e.laned and g('ZCOUNT',n .. k,string.format('%.0f',281474976710656),'+inf')>0
)
then
cG[#cG+1]=k
return true
end
return false
end
if e.early then
bB('early')
end
for _,a in pairs(F.c())do
bB('held:' .. a.row.token)
end
for _,a in pairs(aw)do
local B=a.row.join
for _,k in ipairs(B and B.keys or{})do
if ad[k] or bB(k)then
ad[k]=ad[k] or{}
for _,aG in ipairs(F.ed(B,k))do
F.dy(ad[k],aG)
end
end
end
end
local Z=e.laned and 281474976710656+e.number or nil
return #cG>1 and{from=0,bound=at,at=v,redrives=e.redrives or 0,keys=cG,parts=ad,lanes=Z}
or nil
end
function F.aV(L,aO,o)
local A=F.J()
local br=A and A.first or e.tail
local d=F.an(aO,br,A and A.bytes or e.bytes)
if e.groups>0 then
if o=='latest' then
d=F.an(aO,e.tail,e.bytes)
if F.s()then
d.since={at=v,number=e.number}
end
elseif br<e.tail then
d=F.an(aO,math.max(br,F.am()),d.passed)
end
end
if e.early or e.groups>0 and o~='latest' then
d.join=F.dR(aO,d.cursor)
end
return{name=L,row=d,changed=false}
end
function F.cC(m)
local p=tonumber(ARGV[m])
local z={}
for f=1,p do
z[f]=ARGV[m+3*f - 2]
end
local a=F.j(unpack(z))
for f=1,p do
a=aw[z[f]]
if not a then
a=F.aV(z[f],ARGV[m+3*f - 1],ARGV[m+3*f])
aw[z[f]]=a
a.changed=true
a.row.born=e.holds and bT or nil
if e.early and e.groups==0 then
e.ghosts=e.ghosts or{}
e.ghosts.early=true
e.early,e.earlyBytes=nil,nil
g('UNLINK',n .. 'earlyreap')
end
e.groups=e.groups+1
e.joining=e.joining+(a.row.join and 1 or 0)
e.late=e.late+(a.row.since and 1 or 0)
ac=true
end
end
return a,m+3*p+1
end
function F.av(a,T)
local B=a.row.join
local dx,R={},{}
local at=B.bound
for _,k in ipairs(B.keys)do
local o,an,W=B.from,0,0
while an<T do
local bP=an>0 and math.max(1,W/an)or 4194304/16
local bO=math.min(T - an,math.ceil((4194304 - W)/bP))
if bO<=0 then
break
end
local G=g('ZRANGEBYSCORE',n .. k,string.format('(%.0f',o),string.format('(%.0f',at),'LIMIT',0,bO)
for f=1,#G do
local b=cmsgpack.unpack(G[f])
if not F.C(b.seq)or b.seq<=o then
F.d('a message')
end
o=b.seq
W=W+#G[f]
if not dx[o] and F.cq(B,k,b)then
dx[o]=b
R[#R+1]=o
end
end
an=an+#G
if #G<bO then
break
end
end
if an>=T or W>=4194304 then
at=math.min(at,o+1)
end
end
table.sort(R)
local x={}
for f=1,#R do
if R[f]<at then
x[#x+1]=dx[R[f]]
end
end
return x,at
end
function F.ao(B)
if not B.lanes then
return false
end
B.from,B.bound,B.lanes=281474976710656 - 1,B.lanes,nil
return true
end
function F.cS(a)
local x,at=F.av(a,500)
local m=a.row.join.at
if x[1] and x[1].lane then
F.aQ(a,x)
else
for f=1,#x do
F.ch(a,x[f],m)
end
end
a.row.join.from=at - 1
a.changed=true
if at>=a.row.join.bound and not F.ao(a.row.join)then
F.cc(a)
end
return #x
end
`

const holds = `function F.f(a,r)
if not r then
return a and 'b' .. a or 'a'
end
return a and 'c' .. F.i(a).. r or 'd' .. r
end
function F.aq(i)
local u,bK=string.sub(i,1,1),string.sub(i,2)
if u=='b' then
return bK,nil
elseif u=='d' then
return nil,bK
elseif u=='c' then
local eI=struct.unpack('>I2',bK)
return string.sub(bK,3,eI+2),string.sub(bK,eI+3)
end
return nil,nil
end
local cs={}
function F.cr(H,a)
return H.freed~=nil and H.freed[a.name]==(a.row.born or 0)
end
function F.N(aJ)
local cz={}
for f=1,#aJ do
if cs[aJ[f]]==nil then
cz[#cz+1]=aJ[f]
end
end
for o=1,#cz,1000 do
local D=math.min(#cz,o+999)
local G=g('HMGET',n .. 'holds',unpack(cz,o,D))
for f=o,D do
local d=G[f - o+1]
cs[cz[f]]=d and cmsgpack.unpack(d)or false
end
end
end
function F.o(i)
if not e.holds then
return nil
end
F.N({i})
return cs[i] or nil
end
function F.P(i,H,a)
if not H then
return nil
end
if not H.probing then
if not(H.ends and H.ends<=v)then
return 'held'
end
if not H.probe then
return nil
end
end
if a then
return not F.cr(H,a)and 'probing' or nil
end
local p=0
local as=F.aq(i)
for _,ak in pairs(as and{}or F.c())do
p=p+1
if not F.cr(H,ak)then
return 'probing'
end
end
return p==0 and 'probing' or nil
end
function F.bd()
e.over=tonumber(g('ZRANGE',n .. 'over',0,0,'WITHSCORES')[2])
end
function F.bZ(i)
cs[i]=false
g('HDEL',n .. 'holds',i)
g('ZREM',n .. 'over',i)
if g('ZREM',n .. 'places',i)==1 then
e.holds=e.holds>1 and e.holds - 1 or nil
end
F.bd()
ac=true
end
function F.ap(i,H)
cs[i]=H
g('HSET',n .. 'holds',i,cmsgpack.pack(H))
if H.ends then
g('ZADD',n .. 'over',H.ends,i)
else
g('ZREM',n .. 'over',i)
end
e.holds=(e.holds or 0)+g('ZADD',n .. 'places',0,i)
F.bd()
ac=true
end
function F.au(i)
local L,r=F.aq(i)
if not r then
return
end
for ak,a in pairs(F.c())do
if(not L or L==ak)and a.row.lanes and a.row.lanes.flows>0 then
local h=F.k(a,r)
if h.byLive then
h.rest,h.byLive=nil,false
end
end
end
end
function F.bq(i,H)
H.probe,H.probing,H.ends=true,true,nil
H.freed,H.out={},{}
F.ap(i,H)
F.au(i)
end
function F.aM(i)
F.bZ(i)
F.au(i)
end
function F.dD(L)
if F.o(F.f(L))then
F.bZ(F.f(L))
end
local aj=F.f(L,'')
while e.holds do
local y=g('ZRANGEBYLEX',n .. 'places','[' .. aj,'(' .. aj .. '\\255','LIMIT',0,1000)
if #y==0 then
return
end
g('HDEL',n .. 'holds',unpack(y))
g('ZREM',n .. 'over',unpack(y))
g('ZREM',n .. 'places',unpack(y))
e.holds=e.holds>#y and e.holds - #y or nil
F.bd()
ac=true
end
end
function F.es()
local Y=g('ZRANGEBYSCORE',n .. 'over','-inf',v,'LIMIT',0,256)
F.N(Y)
for _,i in ipairs(Y)do
local H=F.o(i)
if H and H.probe then
F.bq(i,H)
else
F.aM(i)
end
end
return e.over and e.over<=v
end
function F.bg(a,z)
local Y={}
for f=1,#z do
Y[#Y+1]=F.f(nil,z[f])
Y[#Y+1]=F.f(a.name,z[f])
end
F.N(Y)
end
function F.dL(a,flows)
local z,aQ={},{}
for r in pairs(flows)do
z[#z+1]=r
end
F.bg(a,z)
for _,r in ipairs(z)do
for _,i in ipairs({F.f(nil,r),F.f(a.name,r)})do
if F.P(i,cs[i],a)=='held' then
aQ[r]=true
end
end
end
return aQ
end
function F.cm(a,r)
local P
local aU={}
if e.holds then
local Y={F.f(nil,r),F.f(a.name,r)}
F.N(Y)
for _,i in ipairs(Y)do
local H=F.o(i)
local bN=F.P(i,H,a)
if bN=='held' then
P=math.max(P or 0,H.ends or math.huge)
elseif bN=='probing' then
aU[#aU+1]=i
end
end
end
return P,aU
end
function F.cH(a,aU)
for _,i in ipairs(aU)do
local aR=(F.o(i).out or{})[a.name]
if aR then
local j=F.q(a,aR[1])
if j and j.lease==aR[2] then
if j.at>v then
return j.at
end
elseif not j and aR[1]<281474976710656 and a.row.leased>a.row.out then
local q=F.al(a,aR[1])
if q and q.number==aR[2] and q.ends>v then
return q.ends
end
end
end
end
end
function F.cB(a,aU,c,s)
for _,i in ipairs(aU)do
local H=F.o(i)
if not H.probing then
F.bq(i,H)
end
H.out=H.out or{}
H.out[a.name]={c,s}
F.ap(i,H)
end
end
function F.aU(a,r,s,A,I)
local ey=false
local Y={'a',F.f(a.name)}
if r then
Y[3],Y[4]=F.f(nil,r),F.f(a.name,r)
end
F.N(Y)
for _,i in ipairs(Y)do
local H=F.o(i)
local aR=H and H.probing and H.out and H.out[a.name]
if aR and aR[2]==s and aR[1]>=A and aR[1]<=I then
H.freed=H.freed or{}
H.freed[a.name]=a.row.born or 0
H.out[a.name]=nil
if F.aq(i)or not F.P(i,H)then
F.aM(i)
else
F.ap(i,H)
F.au(i)
end
ey=true
end
end
return ey
end
`

const ids = `function F.K(u,s,as,aP)
if as>0 or aP>0 then
return string.format('%s%.0f+%.0f+%.0f',u,s,as,aP)
end
return string.format('%s%.0f',u,s)
end
function F.E(d)
local u,s,as,aP=string.match(d,'^([st])(%d+)%+?(%d*)%+?(%d*)$')
if not u then
F.d('an id')
end
local y=u=='s' and{seq=tonumber(s)}or{number=tonumber(s)}
return y,tonumber(as)or 0,tonumber(aP)or 0
end
function F.bj(w,S)
if S>v then
g('ZADD',n .. 'past','GT',S,w)
F.O(S)
end
end
function F.cu(c)
if e.groups==0 then
return(e.early and F.I(c)or F.aW(c))and true
end
for _,a in pairs(F.c())do
if F.t(a,c)then
return true
end
end
return false
end
function F.cj()
for o=1,#ck,1000 do
local J,al={},{}
for f=o,math.min(#ck,o+999)do
J[#J+1]=ck[f].id
end
local G=g('HMGET',n .. 'ids',unpack(J))
for f=1,#J do
local b=ck[o+f - 1]
if e.groups==1 or not F.cu(b.seq)then
if b.named>0 then
F.bj(b.id,v+b.named)
end
if G[f] and F.E(G[f]).seq==b.seq then
al[#al+1]=b.id
end
end
end
if #al>0 then
g('HDEL',n .. 'ids',unpack(al))
end
end
ck={}
end
function F.aE(p)
local X=g('HSCAN',n .. 'ids',e.scan,'COUNT',p)
local al={}
for f=1,#X[2],2 do
local w,d=X[2][f],X[2][f+1]
local da,y,as,aP=pcall(F.E,d)
if not da then
y,as,aP={},0,0
end
local cw=y.seq and F.cu(y.seq)
or y.number and g('HEXISTS',n .. 'delayed',F.b(y.number))==1
if not cw then
al[#al+1]=w
aP=math.max(as,aP)
end
if aP>0 then
F.bj(w,e.cut+aP)
end
end
for o=1,#al,1000 do
g('HDEL',n .. 'ids',unpack(al,o,math.min(#al,o+999)))
end
e.scan=X[1]~='0' and X[1] or nil
e.cut=e.scan and e.cut
ac=true
end
function F.bT()
if g('EXISTS',n .. 'ids')==1 then
e.cut=v
e.scan='0'
ac=true
end
end
function F.bt()
if e.untidy then
e.untidy=nil
ac=true
local A=F.J()
F.aa(e.groups>0 and F.am()or A and A.first or e.tail)
end
if e.scan then
F.aE(500)
end
end
`

const lanes = `F.G='\\255'
function F.h(a)
local d=a.row
if not d.lanes then
d.lanes={flows=0,ahead=0,again=0,lost=0,at=d.served and '' or nil,left=0}
end
return d.lanes
end
function F.dX(h)
return cmsgpack.pack(h.size,h.live,h.ahead,h.again,h.full or false,h.rest or false,h.wake or false,h.byLive or false,h.ready or false,h.woken or false,h.waited or false,h.last or false)
end
function F.ey(cb)
local W,cl,bw,bc,ex,bK,fk,en,aY,cf,fi,I=cmsgpack.unpack(cb)
if not(F.C(W)and F.C(cl)and F.C(bw)and F.C(bc))then
F.d('a lane')
end
return{size=W,live=cl,ahead=bw,again=bc,full=ex or nil,rest=bK or nil,wake=fk or nil,byLive=en,ready=aY,woken=cf,waited=fi,last=I or nil}
end
function F.L(a,z)
a.flows=a.flows or{}
local aJ={}
for f=1,#z do
if not a.flows[z[f]] then
aJ[#aJ+1]=z[f]
end
end
for o=1,#aJ,1000 do
local D=math.min(#aJ,o+999)
local G=g('HMGET',F.a(a,'flows'),unpack(aJ,o,D))
for f=o,D do
local cb=G[f - o+1]
local h=cb and F.ey(cb)or{size=0,live=0,ahead=0,again=0,isNew=true}
h.lane=aJ[f]
a.flows[aJ[f]]=h
end
end
end
function F.ah(a,r)
if not(a.flows and a.flows[r])then
F.L(a,{r})
end
return a.flows[r]
end
function F.k(a,r)
local h=F.ah(a,r)
if not a.changedFlows then
a.changedFlows={}
end
a.changedFlows[r]=h
a.changed=true
cq=true
return h
end
function F.aO(h)
h.live=h.live - 1
if h.byLive then
h.rest,h.byLive=nil,false
end
end
function F.n(command,k,arguments,cn)
for o=1,#arguments,cn do
g(command,k,unpack(arguments,o,math.min(#arguments,o+cn - 1)))
end
end
function F.aS()
cq=false
for _,a in pairs(aw)do
F.ag(a)
local cA=a.changedFlows
if cA then
a.changedFlows=nil
local Z=F.h(a)
local aQ=e.holds and F.dL(a,cA)or{}
local G,al,ae,cN,cO,cf={},{},{},{},{},{}
for r,h in pairs(cA)do
if h.size==0 and not(h.full and h.full>v)then
if not h.isNew then
al[#al+1]=r
Z.flows=Z.flows - 1
if h.ready then
cO[#cO+1]=r
end
if h.wake then
g('ZREM',F.a(a,'wake'),r)
end
end
a.flows[r]=nil
else
local dG=h.ahead+h.again>0
local dU=h.rest and h.rest>v
local aY=dG and not dU and not aQ[r]
if aY and not h.ready then
cN[#cN+1]=0
cN[#cN+1]=r
elseif h.ready and not aY then
cO[#cO+1]=r
end
h.ready=aY
h.waited=dG and(h.waited or dU and not h.byLive)
local cU=dG and dU and h.rest or h.size==0 and h.full
if cU and not(h.wake and h.wake<=cU)then
h.wake=cU
cf[#cf+1]=cU
cf[#cf+1]=r
end
if h.isNew then
h.isNew=nil
Z.flows=Z.flows+1
ae[#ae+1]=0
ae[#ae+1]=r
end
G[#G+1]=r
G[#G+1]=F.dX(h)
end
end
F.n('HSET',F.a(a,'flows'),G,1000)
F.n('HDEL',F.a(a,'flows'),al,1000)
F.n('ZREM',F.a(a,'lanes'),al,1000)
F.n('ZADD',F.a(a,'lanes'),ae,1000)
F.n('ZADD',F.a(a,'ready'),cN,1000)
F.n('ZREM',F.a(a,'ready'),cO,1000)
F.n('ZADD',F.a(a,'wake'),cf,1000)
end
end
end
function F.ad(r,m,c)
return r .. F.G .. F.b(m).. F.b(c)
end
function F.eA(a,c,j)
local h=F.k(a,j.lane)
if j.at<=v then
g('ZADD',F.a(a,'again'),0,F.ad(j.lane,j.at,c))
h.again=h.again+1
F.h(a).again=F.h(a).again+1
else
g('ZADD',F.a(a,'rests'),j.at,F.b(c))
end
end
F.cZ={side='HSET',lends='ZADD',line='ZREM',unside='HDEL',unlends='ZREM'}
function F.S(a,u,ak,two)
a.deferred=a.deferred or{}
local bS=a.deferred[u]
if not bS then
bS={}
a.deferred[u]=bS
end
bS[#bS+1]=ak
if two then
bS[#bS+1]=two
end
cq=true
end
function F.ag(a)
local eJ=a.deferred
if eJ then
a.deferred=nil
for u,bS in pairs(eJ)do
F.n(F.cZ[u],F.a(a,string.match(u,'^un(.*)$')or u),bS,1000)
end
end
end
function F.dE(a,c,j)
local h=F.k(a,j.lane)
if g('ZREM',F.a(a,'rests'),F.b(c))==0 then
g('ZREM',F.a(a,'again'),F.ad(j.lane,j.at,c))
h.again=h.again - 1
F.h(a).again=F.h(a).again - 1
end
end
function F.cd(a,c,j)
local h=F.k(a,j.lane)
if g('ZREM',F.a(a,'lends'),F.b(c))==0 then
g('ZREM',F.a(a,'again'),F.ad(j.lane,j.at,c))
h.again=h.again - 1
F.h(a).lost=F.h(a).lost - 1
else
F.aO(h)
end
end
function F.cx(a,c,j,P,cZ)
local h=F.k(a,j.lane)
h.live=h.live+1
j.at=P
if cZ then
F.S(a,'side',F.b(c),cmsgpack.pack(j))
F.S(a,'lends',P,F.b(c))
else
F.v(a,c,j)
g('ZADD',F.a(a,'lends'),P,F.b(c))
end
end
function F.cy(a,h,c)
F.S(a,'line',h.lane .. F.G .. F.b(c))
h.ahead=h.ahead - 1
F.h(a).ahead=F.h(a).ahead - 1
end
function F.ei(a,c,r)
F.ag(a)
local h=F.k(a,r)
g('HDEL',F.a(a,'side'),F.b(c))
g('ZADD',F.a(a,'line'),0,r .. F.G .. F.b(c))
h.ahead=h.ahead+1
h.line=nil
F.h(a).ahead=F.h(a).ahead+1
end
function F.aR(x)
local af={held={},line={},names={},bytes=0}
local aQ,bi,z=af.held,af.line,af.names
for f=1,#x do
local b=x[f]
local c,r=b.seq,b.lane
aQ[2*f - 1],aQ[2*f]=c,cmsgpack.pack(b)
bi[2*f - 1],bi[2*f]=0,r .. F.G .. F.b(c)
z[f]=r
af.bytes=af.bytes+#b.record
af.expires=af.expires or b.expires
end
return af
end
function F.aQ(a,x,af)
if #x==0 then
return
end
af=af or F.aR(x)
F.L(a,af.names)
for f=1,#x do
local h=F.k(a,af.names[f])
h.size=h.size+1
h.ahead=h.ahead+1
end
for f=1,af.expires and #x or 0 do
F.y(a,x[f])
end
F.n('ZADD',F.a(a,'held'),af.held,1000)
F.n('ZADD',F.a(a,'line'),af.line,1000)
local Z=F.h(a)
Z.ahead=Z.ahead+#x
a.row.outside=a.row.outside+af.bytes
a.changed=true
end
function F.bm(x,isFor)
if #x==0 then
return
end
e.laned=true
ac=true
if e.groups==0 then
local af=F.aR(x)
F.n('ZADD',n .. 'early',af.held,1000)
for f=1,af.expires and #x or 0 do
local b=x[f]
if b.expires then
g('ZADD',n .. 'earlyreap',b.expires,F.b(b.seq))
end
end
e.early=(e.early or 0)+#x
e.earlyBytes=(e.earlyBytes or 0)+af.bytes
return
end
local af=F.aR(x)
for _,a in pairs(F.c())do
if isFor and a.row.since then
local as={}
for f=1,#x do
if isFor(a,f)then
as[#as+1]=x[f]
end
end
F.aQ(a,as)
else
F.aQ(a,x,af)
end
end
end
function F.I(c)
return F.M(n .. 'early',c)
end
function F.bX(b)
g('ZREMRANGEBYSCORE',n .. 'early',b.seq,b.seq)
if b.expires then
g('ZREM',n .. 'earlyreap',F.b(b.seq))
end
e.early=e.early - 1
e.earlyBytes=e.earlyBytes - #b.record
ac=true
end
function F.eB(a)
local T=256
local am=false
local function dZ(u,bP)
local k=F.a(a,u)
local E=g('ZRANGEBYSCORE',k,'-inf',v,'WITHSCORES','LIMIT',0,T)
if #E==0 then
return
end
local R={}
for f=1,#E,2 do
R[#R+1]=E[f]
end
g('ZREM',k,unpack(R))
bP(R,E)
am=am or #R==T
end
local function fh(R,E,bB)
local aM=g('HMGET',F.a(a,'side'),unpack(R))
local z,bc={},{}
for f=1,#R do
local j=aM[f] and cmsgpack.unpack(aM[f])
if not(j and j.lane)then
F.d('a message')
end
aM[f]=j
z[f]=j.lane
end
F.L(a,z)
for f=1,#R do
local j=aM[f]
local h=F.k(a,j.lane)
bc[#bc+1]=0
bc[#bc+1]=F.ad(j.lane,j.at,tonumber(R[f]))
h.again=h.again+1
bB(h,R[f],j)
end
g('ZADD',F.a(a,'again'),unpack(bc))
end
dZ('rests',function(R,E)
fh(R,E,function()
F.h(a).again=F.h(a).again+1
end)
end)
dZ('lends',function(R,E)
fh(R,E,function(h,c,j)
F.aO(h)
F.h(a).lost=F.h(a).lost+1
if j.expires then
g('ZADD',F.a(a,'reap'),j.expires,c)
F.O(j.expires)
end
end)
end)
dZ('wake',function(z)
F.L(a,z)
for f=1,#z do
local h=F.k(a,z[f])
h.wake=nil
if h.rest and h.rest<=v then
h.rest,h.byLive=nil,false
h.woken=true
end
end
end)
return am
end
`

const leases = `function F.dZ(q)
return cmsgpack.pack({
q.first,
q.last,
q.ends,
q.number,
q.attempt,
q.named or false,
q.key or false,
q.bytes,
})
end
function F.Z(t)
local ad=F.z(cmsgpack.unpack(t),{1,2,3,4,5,8})
if ad[1]>ad[2] or ad[2]>=e.tail then
F.d('a lease')
end
return{
member=t,
first=ad[1],
last=ad[2],
ends=ad[3],
number=ad[4],
attempt=ad[5],
named=ad[6],
key=ad[7] or nil,
bytes=ad[8],
}
end
function F.al(a,c)
local t=g('ZRANGEBYSCORE',F.a(a,'leases'),c,'+inf','LIMIT',0,1)[1]
if not t then
return nil,nil
end
local q=F.Z(t)
if q.last<c then
F.d('a lease')
end
if q.first<=c then
return q,nil
end
return nil,q
end
function F.H(a,q)
local t=F.dZ(q)
g('ZADD',F.a(a,'leases'),q.last,t)
g('ZADD',F.a(a,'ends'),q.ends,t)
a.row.leased=a.row.leased+q.last - q.first+1
a.changed=true
end
function F.aJ(a,q)
g('ZREM',F.a(a,'leases'),q.member)
g('ZREM',F.a(a,'ends'),q.member)
a.row.leased=a.row.leased -(q.last - q.first+1)
a.changed=true
end
function F.W(q,A,I)
return{
first=A,
last=I,
ends=q.ends,
number=q.number,
attempt=q.attempt,
named=q.named,
key=q.key,
bytes=q.bytes,
}
end
function F.af(a,q,A,I)
F.aJ(a,q)
if A>q.first then
F.H(a,F.W(q,q.first,A - 1))
end
if I<q.last then
F.H(a,F.W(q,I+1,q.last))
end
end
`

const log = `local aD
function F.at(au)
local aq=au[2]
local aK=F.z(cmsgpack.unpack(aq[2]),{1,2,3})
local l={
first=aK[1],
last=tonumber(string.match(au[1],'^%d+')),
at=aK[2],
bytes=aK[3],
base=aK[4],
blob=aq[4],
columns=aq[6] and cmsgpack.unpack(aq[6]),
}
local p=l.last - l.first+1
l.count=p
local P=4*p
if p<1 or l.last>=e.tail or #l.blob~=P+struct.unpack('<I4',l.blob,P - 3)then
F.d('an entry of the log')
end
return l
end
function F.bl(c,p)
return g('XRANGE',n .. 'log',string.format('%.0f-0',c),'+','COUNT',p)
end
function F.p(c)
if aD and c>=aD.first and c<=aD.last then
return aD
end
local au=F.bl(c,1)[1]
if au then
local l=F.at(au)
if l.first<=c then
aD=l
return l
end
end
end
function F.J()
local au=g('XRANGE',n .. 'log','-','+','COUNT',1)[1]
return au and F.at(au)
end
function F.Y(ao,f)
return f==1 and 0 or struct.unpack('<I4',ao,4*f - 7)
end
function F.bh(l,f)
local ao,P=l.blob,4*l.count
return string.sub(ao,P+F.Y(ao,f)+1,P+F.Y(ao,f+1))
end
function F.dK(aH)
local u=string.byte(aH)
if u and u>=4 and #aH>=5 then
return string.char(4).. string.sub(aH,2,5+struct.unpack('<I4',aH,2))
end
return '\\0'
end
function F.bp(l,o,D)
return F.Y(l.blob,D+1)- F.Y(l.blob,o)
end
function F.aZ(aS,s,bC)
return aS .. string.format('%08x',(s % 2147483648)*2+bC)
end
function F.cn(l,f)
local J=l.columns and l.columns.id
return J and J[f] or F.aZ(l.base,l.first+f - 1,0)
end
function F.V(l,f)
local N=l.columns
local b={
seq=l.first+f - 1,
id=F.cn(l,f),
at=l.at,
record=F.bh(l,f),
}
if N then
b.at=N.at and N.at[f] or l.at
b.key=N.key and N.key[f]
b.expires=N.expires and N.expires[f]
b.max=N.max and N.max[f]
b.named=N.named and N.named[f]
b.keep=N.keep and N.keep[f]
b.since=N.since and N.since[f]
end
return b
end
function F.bM(c)
if e.amended>0 then
local d=g('ZRANGEBYSCORE',n .. 'amend',c,c)[1]
return d and cmsgpack.unpack(d)
end
end
function F.ae(A,I)
if e.amended==0 then
return nil
end
local G=g('ZRANGEBYSCORE',n .. 'amend',A,I)
if #G==0 then
return nil
end
local az={}
for f=1,#G do
local b=cmsgpack.unpack(G[f])
az[b.seq]=b
end
return az
end
function F.bL(b)
local c=b.seq
local fH=e.amended>0 and g('ZREMRANGEBYSCORE',n .. 'amend',c,c)or 0
e.amended=e.amended+1 - fH
ac=true
g('ZADD',n .. 'amend',c,cmsgpack.pack(b))
end
function F.O(S)
if not e.reap or S<e.reap then
e.reap=S
ac=true
end
end
function F.b(c)
return string.format('%016.0f',c)
end
function F.ct(c)
return e.gone>0 and g('ZSCORE',n .. 'gone',F.b(c))and true
end
function F.bQ(c)
return e.gone>0 and g('ZCOUNT',n .. 'gone',c,'+inf')or 0
end
function F.ai(A,I)
if e.gone==0 then
return nil,0
end
local E=g('ZRANGEBYSCORE',n .. 'gone',A,I)
if #E==0 then
return nil,0
end
local av={}
for f=1,#E do
av[tonumber(E[f])]=true
end
return av,#E
end
function F.cz(c)
e.gone=e.gone+g('ZADD',n .. 'gone',c,F.b(c))
ac=true
end
function F.aW(c)
return F.p(c)and not F.ct(c)
end
function F.dM(c)
local bp=F.bM(c)
if bp then
return(bp.named or bp.keep)and bp
end
local l=F.p(c)
local f=c - l.first+1
local N=l.columns
if N and N.keep and N.keep[f] then
return F.V(l,f)
end
local ae=N and N.named and N.named[f]
return ae and{seq=c,id=N.id[f],named=ae}
end
function F.u(c)
local bp=F.bM(c)
if bp then
return bp
end
local l=F.p(c)
return l and F.V(l,c - l.first+1)
end
`

const moves = `function F.m(b)
local k,r=b.key,b.lane
return k and r and '\\255' .. struct.pack('>I2',#r).. r .. k or k
end
function F.ab(a,c,j)
F.v(a,c,j)
if j.lane then
F.eA(a,c,j)
else
g('ZADD',F.a(a,'due'),j.at,F.b(c))
end
a.row.waiting=a.row.waiting+1
a.changed=true
end
function F.aP(a,c,j)
if j.lane then
F.dE(a,c,j)
else
g('ZREM',F.a(a,'due'),F.b(c))
end
a.row.waiting=a.row.waiting - 1
end
function F.aN(a,c,j)
if j.lane then
F.cd(a,c,j)
else
g('ZREM',F.a(a,'ends'),F.b(c))
end
a.row.leased=a.row.leased - 1
a.row.out=a.row.out - 1
end
function F.y(a,b)
if b.expires then
g('ZADD',F.a(a,'reap'),b.expires,F.b(b.seq))
F.O(b.expires)
end
end
function F.bb(a,k,c)
local d,aj=a.row,F.i(k)
local t=d.blocked+(d.parked or 0)>0
and g('ZRANGEBYLEX',F.a(a,'chain'),'(' .. aj .. F.b(c),'[' .. aj .. '\\255','LIMIT',0,1)[1]
if t then
return tonumber(string.sub(t,#aj+1)),t
end
end
function F.w(a,k)
if not k then
return
end
local c,t=F.bb(a,k,0)
if not c then
g('HDEL',F.a(a,'heads'),k)
return
end
g('ZREM',F.a(a,'chain'),t)
g('HSET',F.a(a,'heads'),k,F.b(c))
local j=F.q(a,c)
if j and j.parked then
return
end
a.row.blocked=a.row.blocked - 1
if j and j.lane and j.at==0 then
F.ei(a,c,j.lane)
return
end
F.ab(a,c,{at=math.max(v,j and j.at or 0),attempt=0,lane=j and j.lane})
end
function F.bO(a,b,m)
F.X(a,b)
F.y(a,b)
F.cQ(a,b,m)
end
function F.cQ(a,b,m)
g('ZADD',F.a(a,'chain'),0,F.i(F.m(b)).. F.b(b.seq))
if m or b.lane then
F.v(a,b.seq,{at=m or 0,blocked=true,lane=b.lane})
end
a.row.blocked=a.row.blocked+1
end
function F.ak(a,k)
return g('HEXISTS',F.a(a,'heads'),k)==1
end
function F.en(a,b)
if a.row.stops and F.cv(a,b)then
return true
end
if F.ak(a,b.key)then
F.bO(a,b)
return true
end
return false
end
function F.ch(a,b,m)
local ab=F.m(b)
if ab and F.ak(a,ab)and not(a.row.parked and F.eg(a,b))then
F.bO(a,b,m)
return
end
if ab then
g('HSET',F.a(a,'heads'),ab,F.b(b.seq))
end
F.X(a,b)
F.y(a,b)
F.ab(a,b.seq,{at=m,attempt=0,lane=b.lane})
end
function F.bk(a,i,b)
local d,u,c=a.row,i.kind,b.seq
a.changed=true
if d.running then
F.aL(a,c)
end
if u=='ahead' then
return
end
if u=='unjoined' then
g('ZREMRANGEBYSCORE',F.a(a,'handed'),c,c)
return
end
if u=='leased' then
F.af(a,i.lease,c,c)
F.w(a,i.lease.key)
return
end
F.bY(a,b)
local ab=F.m(b)
if u=='parked' then
F.aK(a,b)
if ab and not F.U(a,ab,c)then
g('ZREM',F.a(a,'chain'),F.i(ab).. F.b(c))
ab=nil
end
F.w(a,ab)
return
end
if u=='lined' then
F.cy(a,F.k(a,b.lane),c)
if ab and g('HGET',F.a(a,'heads'),ab)==F.b(c)then
F.w(a,ab)
end
return
end
if u=='blocked' then
g('ZREM',F.a(a,'chain'),F.i(ab).. F.b(c))
d.blocked=d.blocked - 1
return
end
if u=='held' then
F.aN(a,c,i.side)
else
F.aP(a,c,i.side)
end
F.w(a,ab)
end
local ck={}
function F.aI(b)
if b.named then
ck[#ck+1]=b
end
end
function F.bs(a,by)
F.g(a.row,'keepers',by)
F.g(e,'keepers',by)
a.changed,ac=true,true
end
function F.R(a,b,U,bI,bJ,cB)
local d=a.row
local O={message=b,attempt=U,reason=bI,error=bJ,at=ap,fence=bT}
if cB then
O.ends=v+cB
g('ZADD',F.a(a,'fade'),O.ends,F.b(b.seq))
F.O(O.ends)
end
if b.named then
g('ZADD',F.a(a,'letters'),0,F.i(b.id).. F.b(b.seq))
end
g('ZADD',F.a(a,'dead'),b.seq,cmsgpack.pack(O))
d.dead=d.dead+1
d.failed=d.failed+1
a.changed=true
if b.keep then
F.bs(a,1)
F.aG(a,b,U,{status='dead',reason=bI,error=bJ})
end
F.aI(b)
end
function F.x(a,c)
local d=g('ZRANGEBYSCORE',F.a(a,'dead'),c,c)[1]
local O=d and cmsgpack.unpack(d)
if O and not(O.ends and O.ends<=v)then
return O,d
end
return nil,d
end
function F.ca(a,d)
local O=cmsgpack.unpack(d)
local b=O.message
g('ZREM',F.a(a,'dead'),d)
if O.ends then
g('ZREM',F.a(a,'fade'),F.b(b.seq))
end
if b.named then
g('ZREM',F.a(a,'letters'),F.i(b.id).. F.b(b.seq))
end
if b.keep then
F.bs(a,-1)
end
local ab=a.row.stops and F.m(b)
if ab and g('HGET',F.a(a,'stops'),ab)==F.b(b.seq)then
F.cf(a,ab)
end
a.row.dead=a.row.dead - 1
a.changed=true
end
`

const outcomes = `function F.aG(a,b,U,C)
bY=bY or{}
local aV=bY[a] or{}
bY[a]=aV
C.seq,C.id,C.key,C.lane=b.seq,b.id,b.key,b.lane
C.at,C.max,C.attempt=b.at,b.max,U
C.ended,C.ends=ap,v+b.keep
aV[#aV+1]={C,b.named}
end
function F.cV(c,w)
return F.b(c)..(w or '')
end
function F.cw()
local z={}
for a,aV in pairs(bY)do
for o=1,#aV,500 do
local D=math.min(#aV,o+500 - 1)
local J,V,cS,bR,R={},{},{},{},{}
for f=o,D do
J[#J+1]=aV[f][1].id
end
local G=g('HMGET',n .. 'ids',unpack(J))
local bU=a.row.kept and g('HMGET',F.a(a,'kept'),unpack(J))or{}
for f=o,D do
local C,ae=aV[f][1],aV[f][2]
local d,ar=G[f - o+1],bU[f - o+1]
local eC=not d and not ar
if ae then
eC=d and F.E(d).seq==C.seq and(not ar or tonumber(ar)==C.seq)
end
if eC then
V[#V+1]=C.seq
V[#V+1]=cmsgpack.pack(C)
cS[#cS+1]=C.ends
cS[#cS+1]=F.cV(C.seq,ae and C.id)
if ae then
bR[#bR+1]=C.id
bR[#bR+1]=F.b(C.seq)
end
z[#z+1]=C.id
F.O(C.ends)
elseif C.status=='dead' then
F.br(a,C.seq)
end
R[#R+1]=F.b(C.seq)
end
if #V>0 then
g('ZADD',F.a(a,'results'),unpack(V))
g('ZADD',F.a(a,'until'),unpack(cS))
F.g(a.row,'kept',#V/2)
F.g(e,'kept',#V/2)
end
if #bR>0 then
g('HSET',F.a(a,'kept'),unpack(bR))
end
if a.row.running then
F.g(a.row,'running',-g('HDEL',F.a(a,'progress'),unpack(R)))
end
end
a.changed,ac=true,true
end
if #z>0 then
ed=#z>64 and '"many"' or cjson.encode(z)
end
bY=nil
end
function F.et(a,T)
local E=g('ZRANGEBYSCORE',F.a(a,'until'),'-inf',v,'LIMIT',0,T)
if #E==0 then
return 0
end
g('ZREMRANGEBYRANK',F.a(a,'until'),0,#E - 1)
local R,J={},{}
for f=1,#E do
R[f]=tonumber(string.sub(E[f],1,16))
if #E[f]>16 then
J[#J+1]=string.sub(E[f],17)
end
end
table.sort(R)
local o=1
for f=1,#R do
if R[f+1]~=R[f]+1 then
g('ZREMRANGEBYSCORE',F.a(a,'results'),R[o],R[f])
o=f+1
end
end
for A=1,#J,1000 do
g('HDEL',F.a(a,'kept'),unpack(J,A,math.min(#J,A+999)))
end
F.g(a.row,'kept',-#E)
F.g(e,'kept',-#E)
a.changed,ac=true,true
return #E
end
function F.be(a,c)
local d=g('ZRANGEBYSCORE',F.a(a,'results'),c,c)[1]
return d and cmsgpack.unpack(d)
end
function F.cb(a,c)
local C=F.be(a,c)
if not C then
return
end
local t=F.cV(c,C.id)
g('ZREMRANGEBYSCORE',F.a(a,'results'),c,c)
g('ZREM',F.a(a,'until'),F.b(c),t)
if g('HGET',F.a(a,'kept'),C.id)==F.b(c)then
g('HDEL',F.a(a,'kept'),C.id)
end
F.g(a.row,'kept',-1)
F.g(e,'kept',-1)
a.changed,ac=true,true
end
function F.br(a,c)
local O,d=F.x(a,c)
if O and O.message.keep then
O.message.keep=nil
F.bs(a,-1)
g('ZREM',F.a(a,'dead'),d)
g('ZADD',F.a(a,'dead'),c,cmsgpack.pack(O))
end
end
function F.ep(a,w,bA)
local aj=F.i(w)
for _,t in ipairs(g('ZRANGEBYLEX',F.a(a,'letters'),'[' .. aj,'[' .. aj .. '\\255'))do
F.br(a,tonumber(string.sub(t,#aj+1)))
end
local O=bA and F.x(a,bA)
if O and O.message.id==w then
F.br(a,bA)
end
end
function F.dI(J)
for _,a in pairs(F.c())do
local d=a.row
for o=1,(d.kept or d.keepers)and #J or 0,1000 do
local D=math.min(#J,o+999)
local y=d.kept and g('HMGET',F.a(a,'kept'),unpack(J,o,D))or{}
for f=o,D do
local w,bA=J[f],F.bn(J[f])
local c=tonumber(y[f - o+1])or bA
local C=d.kept and c and F.be(a,c)
if C and C.id==w then
F.cb(a,c)
end
if d.keepers then
F.ep(a,w,bA)
end
end
end
end
end
function F.cD(a,w)
local c=tonumber(g('HGET',F.a(a,'kept'),w))or F.bn(w)
local C=c and F.be(a,c)
return C and C.id==w and C.ends>v and C or nil
end
function F.bU(C)
if C.status=='done' then
return{'done',C.ended,C.value or ''}
end
return{'dead',C.ended,C.reason,C.error or ''}
end
function F.dW(a,b,s,ag)
if b.keep then
local d=cmsgpack.pack({s,ag,ap})
F.g(a.row,'running',g('HSET',F.a(a,'progress'),F.b(b.seq),d))
end
end
function F.aL(a,c)
F.g(a.row,'running',-g('HDEL',F.a(a,'progress'),F.b(c)))
a.changed=true
end
function F.cI(a,c,s)
local d=g('HGET',F.a(a,'progress'),F.b(c))
local bu=d and cmsgpack.unpack(d)
if bu and bu[1]==s then
return{bu[3],bu[2]}
end
end
`

const parked = `function F.U(a,k,c)
return g('HGET',F.a(a,'heads'),k)==F.b(c)
end
function F.cK(a,b,j)
local c=b.seq
F.v(a,c,j)
g('ZADD',F.a(a,'parked'),c,F.b(c))
if b.named then
g('ZADD',F.a(a,'named'),0,F.i(b.id).. F.b(c))
end
F.g(a.row,'parked',1)
a.changed=true
end
function F.aK(a,b)
g('ZREM',F.a(a,'parked'),F.b(b.seq))
if b.named then
g('ZREM',F.a(a,'named'),F.i(b.id).. F.b(b.seq))
end
F.g(a.row,'parked',-1)
a.changed=true
end
function F.eb(a,b,j)
F.y(a,b)
F.cK(a,b,j)
local k=F.m(b)
if k and a.row.blocked>0 then
g('ZADD',F.a(a,'chain'),0,F.i(k).. F.b(b.seq))
F.w(a,k)
end
end
function F.cJ(a,c,r)
if r then
F.v(a,c,{at=0,blocked=true,lane=r})
else
g('HDEL',F.a(a,'side'),F.b(c))
end
a.row.blocked=a.row.blocked+1
end
function F.ec(a,w,y)
local R={}
local aj=F.i(w)
for _,t in ipairs(g('ZRANGEBYLEX',F.a(a,'named'),'[' .. aj,'(' .. aj .. '\\255'))do
local c=tonumber(string.sub(t,#aj+1))
if c~=y then
table.insert(R,1,c)
end
end
if y then
table.insert(R,1,y)
end
return R
end
function F.cT(a,b)
local c,k,r=b.seq,F.m(b),b.lane
F.aK(a,b)
if k and not F.U(a,k,c)then
F.cJ(a,c,r)
else
F.ab(a,c,{at=v,attempt=0,lane=r})
end
end
F.cX='sbehind a dead letter'
function F.cE(a,b,O)
F.cK(a,b,{attempt=0,parked={reason=F.cX,at=ap,letter=O}})
end
function F.dS(a,b)
local k=F.m(b)
local aK=tonumber(g('HGET',F.a(a,'heads'),k))
local c=aK and aK>b.seq and aK or F.bb(a,k,b.seq)
local j=c and F.q(a,c)
if j and j.parked and j.parked.letter==b.seq then
F.aK(a,F.r(a,c))
F.cJ(a,c,b.lane)
if c==aK then
g('ZADD',F.a(a,'chain'),0,F.i(k).. F.b(c))
g('HDEL',F.a(a,'heads'),k)
end
end
end
function F.ar(a,b)
local k=F.m(b)
local c=F.bb(a,k,b.seq)
if not c then
local bd=a.row.stops and tonumber(g('HGET',F.a(a,'stops'),k))
if not(bd and bd<b.seq and F.x(a,bd))then
F.g(a.row,'stops',g('HSET',F.a(a,'stops'),k,F.b(b.seq)))
end
return
end
local j=F.q(a,c)
if not(j and j.parked)then
a.row.blocked=a.row.blocked - 1
F.cE(a,F.r(a,c),b.seq)
end
end
function F.cf(a,k)
F.g(a.row,'stops',-g('HDEL',F.a(a,'stops'),k))
a.changed=true
end
function F.cv(a,b)
local k,c=F.m(b),b.seq
local O=tonumber(g('HGET',F.a(a,'stops'),k))
if not O or O>c then
return false
end
F.cf(a,k)
if not F.x(a,O)then
return false
end
if not b.lane then
F.X(a,b)
F.y(a,b)
end
F.cE(a,b,O)
if b.lane and F.U(a,k,c)then
return true
end
g('ZADD',F.a(a,'chain'),0,F.i(k).. F.b(c))
if not F.ak(a,k)then
F.w(a,k)
end
return true
end
function F.eg(a,b)
local k=F.m(b)
local aK=g('HGET',F.a(a,'heads'),k)
local c=aK and tonumber(aK)
local j=c and c>b.seq and F.q(a,c)
if j and j.parked then
g('ZADD',F.a(a,'chain'),0,F.i(k).. aK)
return true
end
return false
end
`

const places = `function F.q(a,c)
local d=g('HGET',F.a(a,'side'),F.b(c))
return d and cmsgpack.unpack(d)
end
function F.v(a,c,j)
g('HSET',F.a(a,'side'),F.b(c),cmsgpack.pack(j))
end
function F.M(k,c)
local d=g('ZRANGEBYSCORE',k,c,c)[1]
return d and cmsgpack.unpack(d)
end
function F.r(a,c)
return F.M(F.a(a,'held'),c)
end
function F.aj(a,c)
local b,j=F.r(a,c),F.q(a,c)
if not b or b.seq~=c or type(b.record)~='string' or not F.C(j and j.attempt)then
F.d('a message')
end
return b,j
end
function F.X(a,b)
g('ZADD',F.a(a,'held'),b.seq,cmsgpack.pack(b))
a.row.outside=a.row.outside+#b.record
a.changed=true
if b.lane then
local h=F.k(a,b.lane)
h.size=h.size+1
end
end
local dE=true
function F.aY(B,b)
return b.redriven and b.redriven>B.redrives
end
function F.bN(B,c)
return c>B.from and c<B.bound or B.lanes and c>=281474976710656 and c<B.lanes
end
function F.cl(a,b)
for _,ar in pairs(F.c())do
local B=ar.row.join
if B and ar~=a and F.bN(B,b.seq)and not F.aY(B,b)then
local k=F.a(ar,'handed')
if g('ZCOUNT',k,b.seq,b.seq)==0 then
g('ZADD',k,b.seq,cmsgpack.pack(b))
end
end
end
end
function F.bY(a,b)
if e.joining>0 and dE then
F.cl(a,b)
end
local c=b.seq
g('ZREMRANGEBYSCORE',F.a(a,'held'),c,c)
g('HDEL',F.a(a,'side'),F.b(c))
if b.expires then
g('ZREM',F.a(a,'reap'),F.b(c))
end
a.row.outside=a.row.outside - #b.record
a.changed=true
if b.lane then
local h=F.k(a,b.lane)
h.size=h.size - 1
end
end
function F.cq(B,k,b)
if F.aY(B,b)then
return false
end
local ad=B.parts and B.parts[k]
for _,aG in ipairs(ad or{})do
if b.seq>aG.from and b.seq<aG.to and not F.aY(aG,b)then
return true
end
end
return not ad
end
function F.aw(a,c)
local B=a.row.join
if B and F.bN(B,c)then
for _,k in ipairs(B.keys)do
local b=F.M(n .. k,c)
if b and F.cq(B,k,b)then
return n .. k
end
end
end
end
function F.em(b)
b.redriven=nil
if e.joining>0 then
F.g(e,'redrives',1)
b.redriven=e.redrives
ac=true
end
end
function F.cG(j)
return{kind=j.parked and 'parked' or j.blocked and 'blocked' or j.lease and 'held' or 'waiting',side=j}
end
function F.t(a,c)
local d=a.row
if c>=281474976710656 then
local j=d.lanes and d.lanes.flows>0 and F.q(a,c)
if j then
return F.cG(j)
end
if d.lanes and g('ZCOUNT',F.a(a,'held'),c,c)>0 then
return{kind='lined'}
end
local k=F.aw(a,c)
return k and{kind='unjoined',key=k}or nil
end
if d.leased+d.waiting+d.blocked+(d.parked or 0)>0 then
local j=F.q(a,c)
if j then
return F.cG(j)
end
if d.blocked>0 and g('ZCOUNT',F.a(a,'held'),c,c)>0 then
return{kind='blocked'}
end
local q=d.leased>d.out and F.al(a,c)
if q then
return{kind='leased',lease=q}
end
end
if c>=d.cursor and not F.ct(c)then
return{kind='ahead'}
end
local k=F.aw(a,c)
if k then
return{kind='unjoined',key=k}
end
end
function F.ba(a,i,c)
if i.kind=='ahead' or i.kind=='leased' then
return F.u(c)
end
return F.M(i.key or F.a(a,'held'),c)
end
function F.i(k)
return struct.pack('>I2',#k).. k
end
`

const rows = `local ba=KEYS[1]
local bT,ap,ca=string.match(ARGV[1],'^(%d+) ?([%d.]*)(%a*)$')
bT,ap=tonumber(bT),tonumber(ap)
if ca~='' then
for f=2,#ARGV do
if string.find(ARGV[f],'\\239',1,true)then
local ec=string.gsub(ARGV[f],'\\239\\158([\\128-\\191])','%1')
ARGV[f]=string.gsub(ec,'\\239\\159([\\128-\\191])',function(fn)
return string.char(string.byte(fn)+64)
end)
end
end
if string.find(ca,'e',1,true)then
local dH=redis.pcall('INFO','memory')
local eP=type(dH)=='string' and string.match(dH,'maxmemory_policy:(allkeys[%a-]*)')
if eP and not string.find(dH,'maxmemory:0\\r',1,true)then
return redis.error_reply('EVICTS ' .. eP)
end
end
end
if ap==nil then
local S=redis.call('TIME')
ap=S[1]*1000+math.floor(S[2]/1000)
end
local ek=false
local aw={}
local ac=false
local bY,ed
local cq=false
local v=ap
local e
local n=string.sub(ba,1,-6)
local g=redis.call
local F={}
local loadRest
setmetatable(F,{
__index=function(_,L)
local eK=loadRest
loadRest=nil
if eK then
eK()
end
return rawget(F,L)
end,
})
function F.a(a,u)
return n .. u .. ':' .. a.row.token
end
function F.d(what)
error(what .. ' is not as it was written')
end
function F.C(ag)
return type(ag)=='number' and ag>-1e15 and ag<1e15
end
function F.z(d,aq)
for f=1,#aq do
local ag=d[aq[f]]
if not(ag>-1e15 and ag<1e15)then
F.d(aq[f])
end
end
return d
end
F.aB={'tail','bytes','sent','delayed','later','number','amended','gone','reaps','groups','joining','late','latest','skew'}
F.dl={'behind','cut','scan','ghosts','untidy','kept','laned','early','earlyBytes','holds','over','redrives','keepers'}
F.dm={'join','since','parksNext','parked','stops','kept','keepers','running','lanes','born'}
function F.cM(d,z)
local aX=false
for f=1,#z do
local ag=d[z[f]]
if ag~=nil then
aX=aX or{}
aX[z[f]]=ag
end
end
return aX
end
function F.g(d,L,by)
local p=(d[L] or 0)+by
d[L]=p~=0 and p or nil
end
function F.ea()
local aX=F.cM(e,F.dl)
local aL=e
return cmsgpack.pack(aL.tail,aL.bytes,aL.sent,aL.delayed,aL.later,aL.number,aL.amended,aL.gone,aL.reaps,aL.groups,aL.joining,aL.late,aL.latest,aL.skew,aL.timer or false,aL.reap or false,aX)
end
function F.ez(cb)
local bn,aa,eW,ch,db,s,el,av,eT,p,eG,eH,bg,fb,fg,eS,aX=cmsgpack.unpack(cb)
e={tail=bn,bytes=aa,sent=eW,delayed=ch,later=db,number=s,amended=el,gone=av,reaps=eT,groups=p,joining=eG,late=eH,latest=bg,skew=fb,timer=fg or nil,reap=eS or nil}
F.z(e,F.aB)
for k,ag in pairs(aX or{})do
e[k]=ag
end
if e.delayed>0 then
F.z(e,{'timer'})
end
end
F.db={'cursor','passed','floor','trimmed','cleared','leased','out','waiting','blocked','outside','dead','acked','failed','latest'}
function F.dY(d)
local aX=F.cM(d,F.dm)
return cmsgpack.pack(d.token,d.cursor,d.passed,d.floor,d.trimmed,d.cleared,d.leased,d.out,d.waiting,d.blocked,d.outside,d.dead,d.acked,d.failed,d.latest,d.deadFor or false,aX,d.served or false)
end
function F.bI(L,cb)
local aO,br,bH,ax,ee,cp,aW,aR,ei,aC,dS,dA,du,bQ,bg,cB,aX,eX=cmsgpack.unpack(cb)
local d={token=aO,cursor=br,passed=bH,floor=ax,trimmed=ee,cleared=cp,leased=aW,out=aR,waiting=ei,blocked=aC,outside=dS,dead=dA,acked=du,failed=bQ,latest=bg,deadFor=cB or nil,served=eX}
F.z(d,F.db)
if d.cursor>e.tail or type(d.token)~='string' then
F.d('a group')
end
if aX then
for k,ag in pairs(aX)do
d[k]=ag
end
d.join=d.join and F.z(d.join,{'from','bound','at','redrives'})
d.since=d.since and F.z(d.since,{'at','number'})
d.lanes=d.lanes and F.z(d.lanes,{'flows','ahead','again','lost','left'})
end
local a={name=L,row=d,changed=false}
aw[L]=a
return a
end
function F.j(...)
local z={...}
local aq={'queue'}
for f=1,#z do
aq[f+1]='group:' .. z[f]
end
local G=g('HMGET',ba,unpack(aq))
if G[1] then
F.ez(G[1])
else
e={}
for f=1,#F.aB do
e[F.aB[f]]=0
end
e.tail,e.number=1,1
end
local bg=e.latest
local I
for f=1,#z do
I=aw[z[f]] or G[f+1] and F.bI(z[f],G[f+1])
if I and I.row.latest>bg then
bg=I.row.latest
end
end
v=ap+e.skew
if v<bg - 1000 then
e.skew=bg - ap
ac=true
v=bg
end
return I or nil
end
function F.c()
if not ek then
ek=true
local dM=0
for _ in pairs(aw)do
dM=dM+1
end
if dM<e.groups then
local G=g('HGETALL',ba)
for f=1,#G,2 do
local L=string.match(G[f],'^group:(.*)$')
if L and not aw[L] then
F.bI(L,G[f+1])
end
end
end
end
return aw
end
function F.aT(a)
local d=a.row
if d.leased>d.out then
local A=g('ZRANGE',F.a(a,'leases'),0,0)[1]
if A then
local q=cmsgpack.unpack(A)
return math.min(q[1],d.cursor),q[8]
end
end
return d.cursor,d.passed
end
function F.am()
local dN=e.tail
for _,a in pairs(F.c())do
local ax=a.changed and F.aT(a)or a.row.floor
if ax<dN then
dN=ax
end
end
return dN
end
function F.bu(u,bq)
local p=g('ZCOUNT',n .. u,'-inf',bq)
if p>5000 then
p=5000
e.untidy=true
end
if p>0 then
g('ZREMRANGEBYRANK',n .. u,0,p - 1)
ac=true
end
return p
end
function F.aa(ax,cP)
local w=string.format('%.0f',ax)
if
cP and cP<200000
or g('XTRIM',n .. 'log','MINID','~',w,'LIMIT',200000)<200000/2
then
g('XTRIM',n .. 'log','MINID',w)
else
e.untidy=true
ac=true
end
local bq='(' .. w
if e.amended>0 then
e.amended=e.amended - F.bu('amend',bq)
end
if e.gone>0 then
e.gone=e.gone - F.bu('gone',bq)
end
if e.reaps>0 then
local bf=g('ZRANGEBYSCORE',n .. 'reaps','-inf',bq,'LIMIT',0,5000)
if #bf>0 then
g('ZREM',n .. 'expiry',unpack(bf))
e.reaps=e.reaps - F.bu('reaps',bq)
end
end
end
function F.l(wakes)
if cq then
F.aS()
end
local aq={}
for L,a in pairs(aw)do
if a.changed then
local d=a.row
local ax,cp=F.aT(a)
d.floor=ax
if
ax~=d.trimmed
and(ax - d.trimmed>=64 or ax>=e.tail or cp - d.cleared>=1048576)
then
if e.groups>1 then
F.aa(F.am())
else
F.aa(ax,ax - d.trimmed)
end
d.trimmed=ax
d.cleared=cp
end
if v>d.latest then
d.latest=v
end
aq[#aq+1]='group:' .. L
aq[#aq+1]=F.dY(d)
end
end
if ac then
if v>e.latest then
e.latest=v
end
aq[#aq+1]='queue'
aq[#aq+1]=F.ea()
end
if #aq>0 then
g('HSET',ba,unpack(aq))
if wakes~=nil or ed then
redis.pcall('PUBLISH',n .. 'changed',(wakes and 'wake' or 'news')..(ed or ''))
end
end
end
`

const settling = `local bL=false
F.bC={a=5,v=5,b=6,r=8,k=9,p=7,e=7}
function F.ek(a,u,fence,c,aA)
local O,d=F.x(a,c)
if not O or O.fence~=fence or u~='r' and u~='b' then
return false
end
F.ca(a,d)
if u=='r' then
local b=O.message
if b.keep and a.row.kept then
F.cb(a,c)
end
b.expires=nil
F.em(b)
if a.row.parked and b.key then
F.dS(a,b)
end
if b.named then
local J=n .. 'ids'
g('HSETNX',J,b.id,F.K('s',c,b.named,0))
if b.keep and F.E(g('HGET',J,b.id)).seq~=c then
b.keep=nil
end
end
F.ch(a,b,v+aA)
end
return true
end
function F.co(a,j,q,b)
local d,c=a.row,b.seq
if d.running then
F.aL(a,c)
end
if j then
F.aN(a,c,j)
else
F.af(a,q,c,c)
F.X(a,b)
end
end
function F.D(m)
return m and ARGV[m]~='' and ARGV[m] or nil
end
function F.bo(a,u,s,c,m)
local d=a.row
local j=d.out>0 and F.q(a,c)
local q
if not j or j.lease~=s then
j=nil
q=d.leased>d.out and F.al(a,c)
if not q or q.number~=s then
return false
end
end
local U=(j or q).attempt
if u=='e' then
local P=v+tonumber(ARGV[m])
local bu=F.D(m+1)
if bu then
F.dW(a,j and F.r(a,c)or F.u(c),s,bu)
end
if j and j.lane then
F.cd(a,c,j)
F.cx(a,c,j,P)
if j.expires then
g('ZREM',F.a(a,'reap'),F.b(c))
end
elseif j then
g('ZADD',F.a(a,'ends'),P,F.b(c))
j.at=P
F.v(a,c,j)
else
F.af(a,q,c,c)
local ev=F.W(q,c,c)
ev.ends=P
F.H(a,ev)
end
a.changed=true
return true
end
local b=j and F.r(a,c)or F.u(c)
if u=='r' then
local Q=v+tonumber(ARGV[m])
if not b.expires or b.expires>Q then
local ep=ARGV[m+1]=='1'
F.co(a,j,q,b)
F.y(a,b)
if ep then
d.failed=d.failed+1
end
F.ab(a,c,{at=Q,attempt=ep and U or U - 1,error=F.D(m+2),lane=b.lane})
return true
end
elseif u=='p' and(not b.expires or b.expires>v)then
F.co(a,j,q,b)
F.eb(a,b,{attempt=U,parked={reason=ARGV[m],data=F.D(m+1),at=ap}})
return true
end
local eO=d.parksNext
if u=='k' then
eO=ARGV[m+3]=='1'
end
if eO and u~='b' and b.key then
F.ar(a,b)
end
F.bk(a,j and{kind='held',side=j}or{kind='leased',lease=q},b)
if u=='b' then
if e.holds then
F.aU(a,b.lane,s,c,c)
end
d.acked=d.acked+1
if b.keep then
F.aG(a,b,U,{status='done',value=F.D(m)})
end
F.aI(b)
elseif u=='k' then
F.R(a,b,U,ARGV[m],F.D(m+1),tonumber(ARGV[m+2]))
else
F.R(a,b,U,'expired',u=='p' and ARGV[m] or F.D(m+2))
end
return true
end
function F.dx(a,s,A,I,V,ce)
local c=A
while c<=I do
local q,ej=F.al(a,c)
local D=I
if q and q.number==s then
D=math.min(I,q.last)
F.af(a,q,c,D)
if e.holds and F.aU(a,nil,s,c,D)then
bL=true
end
a.row.acked=a.row.acked+D - c+1
if q.key then
F.w(a,q.key)
bL=true
end
if q.named then
for ak=c,D do
local b=F.dM(ak)
if b then
if b.keep then
F.aG(a,b,q.attempt,{status='done',value=F.D(ce and ce+ak)})
end
F.aI(b)
end
end
end
V[#V+1]=string.rep('1',D - c+1)
else
if q or ej then
D=math.min(I,q and q.last or ej.first - 1)
end
if a.row.out>0 then
for ak=c,D do
local aB=F.bo(a,'b',s,ak,ce and ce+ak)
bL=bL or aB
V[#V+1]=aB and '1' or '0'
end
else
V[#V+1]=string.rep('0',D - c+1)
end
end
c=D+1
end
end
function F.dw(a,m,V)
local aO,d=a.row.token,a.row
local aE,R,E,ce,z={},{},{},{},{}
while #R<1000 and ARGV[m]=='b' and ARGV[m+1]==aO do
local c=tonumber(ARGV[m+3])
if c<281474976710656 or ARGV[m+4]=='d' then
break
end
aE[#aE+1]=tonumber(ARGV[m+2])
R[#R+1]=c
E[#E+1]=F.b(c)
ce[#ce+1]=m+5
m=m+F.bC.b
end
local aM,cJ=g('HMGET',F.a(a,'side'),unpack(E)),{}
for f=1,#R do
if aM[f] then
aM[f]=cmsgpack.unpack(aM[f])
z[#z+1]=aM[f].lane
end
end
F.L(a,z)
if e.holds then
F.bg(a,z)
end
local A,I
local function ew()
if A then
g('ZREMRANGEBYSCORE',F.a(a,'held'),A,I)
end
end
for f=1,#R do
local j,c,aB=aM[f],R[f],false
if j and j.lease==aE[f] and not cJ[c] then
cJ[c]=true
aB=true
if j.size and j.at>v and e.joining==0 then
if e.holds then
F.aU(a,j.lane,aE[f],c,c)
end
local h=F.k(a,j.lane)
h.size=h.size - 1
F.aO(h)
d.outside=d.outside - j.size
d.leased,d.out,d.acked=d.leased - 1,d.out - 1,d.acked+1
F.S(a,'unlends',E[f])
F.S(a,'unside',E[f])
if A and c==I+1 then
I=c
else
ew()
A,I=c,c
end
else
aB=F.bo(a,'b',aE[f],c,ce[f])
end
end
bL=bL or aB
V[#V+1]=aB and '1' or '0'
end
ew()
F.ag(a)
return m
end
function F.cO(a,m)
local V={}
while m<=#ARGV do
local u,aO,s,c=ARGV[m],ARGV[m+1],tonumber(ARGV[m+2]),tonumber(ARGV[m+3])
local dJ=a and a.row.token==aO
local fm=F.bC[u]
if u=='b' and dJ and c>=281474976710656 and ARGV[m+4]~='d' then
m,fm=F.dw(a,m,V),0
elseif u=='a' or u=='v' then
local I=tonumber(ARGV[m+4])
local p=I - c+1
if dJ then
F.dx(a,s,c,I,V,u=='v' and m+5 - c)
else
V[#V+1]=string.rep('0',p)
end
if u=='v' then
m=m+p
end
else
local fl=ARGV[m+4]
local aB=dJ
and(
fl=='d' and F.ek(a,u,s,c,tonumber(ARGV[m+5]))
or fl~='d' and F.bo(a,u,s,c,m+5)
)
bL=bL or(aB and u~='e')
V[#V+1]=aB and '1' or '0'
end
m=m+fm
end
return table.concat(V)
end
function F.cU(a)
local d=a.row
if d.cursor - d.trimmed<=1024 and d.passed - d.cleared<=1048576 then
return
end
local ah,W=128,0
while ah>0 and W<1048576 and d.leased>d.out do
local A=g('ZRANGE',F.a(a,'leases'),0,0)[1]
if not A then
F.d('a lease')
end
local q=F.Z(A)
local cP=d.cursor - q.first
local cy=d.leased - d.out
local al=cP - cy
if
not(cP>1024 and al>cy)
and not(d.passed - q.bytes>1048576 and al>cy/8)
then
return
end
local c=q.first
F.aJ(a,q)
while c<=q.last and ah>0 and W<1048576 do
local b=F.u(c)
F.X(a,b)
F.v(a,c,{lease=q.number,at=q.ends,attempt=q.attempt})
g('ZADD',F.a(a,'ends'),q.ends,F.b(c))
d.leased=d.leased+1
d.out=d.out+1
W=W+#b.record
ah=ah - 1
c=c+1
end
if c<=q.last then
F.H(a,F.W(q,c,q.last))
end
end
end
`

const show = `function F.cP(i,H)
local bN=F.P(i,H)
if not bN then
return nil
end
local L,r=F.aq(i)
return{
L and 'n' .. L or '',
r and 'n' .. r or '',
H.reason or '',
H.since,
bN=='held' and H.ends and math.ceil(H.ends - v)or -1,
H.probe and 1 or 0,
bN=='probing' and 1 or 0,
}
end
function F.el()
local dW={}
if e.holds then
local Y=g('ZRANGE',n .. 'places',0,100 - 1)
F.N(Y)
for _,i in ipairs(Y)do
dW[#dW+1]=F.cP(i,F.o(i))
end
end
return dW
end
`

const store = `function F.bc(I,S)
local t=F.b(I)
if g('ZADD',n .. 'expiry','LT',S,t)==1 then
g('ZADD',n .. 'reaps',I,t)
e.reaps=e.reaps+1
ac=true
end
F.O(S)
end
function F.bK(p,ao,N,m,aS)
local bn=e.tail
local I=bn+p - 1
local aK=cmsgpack.pack({bn,m,e.bytes,aS})
local w=string.format('%.0f-0',I)
if N then
g('XADD',n .. 'log',w,'h',aK,'b',ao,'c',cmsgpack.pack(N))
if N.expires then
local A
for _,S in pairs(N.expires)do
A=A and math.min(A,S)or S
end
F.bc(I,A)
end
else
g('XADD',n .. 'log',w,'h',aK,'b',ao)
end
e.tail=bn+p
e.bytes=e.bytes+#ao - 4*p
ac=true
end
F.cY={'id','key','expires','max','named','at','keep','since'}
function F.dz(x,A,I)
local N
for _,cW in ipairs(F.cY)do
for f=A,I do
local ag=x[f][cW]
if ag~=nil then
N=N or{}
N[cW]=N[cW] or{}
N[cW][f - A+1]=ag
end
end
end
return N
end
function F.bJ(x,m,aS)
local o=1
while o<=#x do
local P,aZ,W,D={},{},0,o
while D<=#x and D - o<256 do
local aH=x[D].record
if D>o and W+#aH>65536 then
break
end
W=W+#aH
P[#P+1]=struct.pack('<I4',W)
aZ[#aZ+1]=aH
D=D+1
end
F.bK(D - o,table.concat(P).. table.concat(aZ),F.dz(x,o,D - 1),m,aS)
o=D
end
end
function F.s()
return e.timer and e.timer<=v
end
function F.aX(a,m,s)
local bm=a.row.since
return bm and m<=bm.at and s<bm.number
end
function F.ef(bn,Q,by)
for _,a in pairs(F.c())do
local d=a.row
local bm=d.since
if bm then
local bH,K=0,0
while 2*K<#Q and F.aX(a,tonumber(Q[2*K+2]),tonumber(Q[2*K+1]))do
K=K+1
bH=bH+(by[K] and 0 or 1)
end
if d.cursor==bn then
d.cursor=bn+bH
end
if 2*K<#Q or not e.timer or e.timer>bm.at then
d.since=nil
e.late=e.late - 1
end
a.changed=true
end
end
end
function F.as(T)
if not F.s()then
return 0
end
local Q=g('ZRANGEBYSCORE',n .. 'timers','-inf',v,'WITHSCORES','LIMIT',0,T)
local x,z,E,W={},{},{},0
local bz,by={},{}
while 2*#x<#Q and W<8388608 do
local bP=#x>0 and math.max(1,W/#x)or 8388608/16
local D=math.min(#Q/2,#x+math.ceil((8388608 - W)/bP))
local aJ={}
for f=#x+1,D do
aJ[#aJ+1]=Q[2*f - 1]
end
local G=g('HMGET',n .. 'delayed',unpack(aJ))
for f=1,#G do
local b=cmsgpack.unpack(G[f])
W=W+#b.record
E[#E+1]=aJ[f]
z[#z+1]=b.id
x[#x+1]=b
by[#x]=b.lane~=nil
if b.expires then
bz[#bz+1]=aJ[f]
end
end
end
local bn=e.tail
if #x>0 then
local G=g('HMGET',n .. 'ids',unpack(z))
local J,di,df,Y={},{},{},{}
for f=1,#z do
local c
if by[f] then
c=281474976710656+e.number
e.number=e.number+1
x[f].seq=c
df[#df+1]=x[f]
Y[#Y+1]=f
else
c=bn+#di
di[#di+1]=x[f]
end
J[2*f - 1]=z[f]
J[2*f]=string.format('s%.0f',c)..(G[f] and string.match(G[f],'%+.*$')or '')
end
g('HSET',n .. 'ids',unpack(J))
g('ZREM',n .. 'timers',unpack(E))
g('HDEL',n .. 'delayed',unpack(E))
if #bz>0 then
g('ZREM',n .. 'lapse',unpack(bz))
end
F.bJ(di,ap,'')
if #df>0 then
F.bm(df,function(a,f)
return not F.aX(a,tonumber(Q[2*Y[f]]),tonumber(Q[2*Y[f] - 1]))
end)
end
e.delayed=e.delayed - #x
e.later=e.later - W
for f=2*#x+1,#Q do
Q[f]=nil
end
end
e.timer=tonumber(g('ZRANGE',n .. 'timers',0,0,'WITHSCORES')[2])
ac=true
if e.late>0 then
F.ef(bn,Q,by)
end
return #x
end
`

const turns = `function F.dT(r)
local dl=aT.rules or{}
local y={}
local function dv(limits)
for _,cj in ipairs({'concurrency','rate','weight'})do
if y[cj]==nil then
y[cj]=limits[cj]
end
end
end
dv(dl.names and dl.names[r] or{})
for _,au in ipairs(dl.prefixes or{})do
if string.sub(r,1,#au[1])==au[1] then
dv(au[2])
end
end
dv(dl)
return y
end
local eh={}
local dn=false
function F.dU(h)
if h.limits then
return
end
eh[#eh+1]=h
F.k(a,h.lane)
h.limits=F.dT(h.lane)
local cM=h.limits.rate
if cM then
h.each=cM.perMs/cM.count
h.spare=((cM.burst or cM.count)- 1)*h.each
if h.woken and h.full then
h.full=math.min(h.full,v+h.spare+h.each)
end
end
h.woken=false
h.heldFor,h.probes=F.cm(a,h.lane)
h.isOut=#h.probes>0 and F.cH(a,h.probes)~=nil
end
function F.cp(h)
return h.each and h.full and h.full - h.spare>v
end
function F.cs(h)
return h.isOut or h.limits.concurrency and h.live>=h.limits.concurrency
end
function F.eh()
for _,h in ipairs(eh)do
if F.cp(h)then
h.rest,h.byLive=math.min(h.full - h.spare,v+60000),false
elseif F.cs(h)then
h.rest,h.byLive=v+60000,true
else
h.rest,h.byLive=nil,false
end
end
end
function F.cL(r)
return '[' .. r .. F.G,'(' .. r .. F.G .. '\\255'
end
function F.dV(h,bW)
local bi=h.line
if not bi or h.place==#bi then
if bi then
F.ag(a)
end
local o,D=F.cL(h.lane)
bi=g('ZRANGEBYLEX',F.a(a,'line'),o,D,'LIMIT',0,math.max(1,math.min(bW,256)))
if #bi==0 then
F.d('a lane')
end
h.line,h.place=bi,0
end
h.place=h.place+1
return tonumber(string.sub(bi[h.place],-16))
end
function F.eu(h)
local o,D=F.cL(h.lane)
local t=g('ZRANGEBYLEX',F.a(a,'again'),o,D,'LIMIT',0,1)[1]
if not t then
F.d('a lane')
end
local c=tonumber(string.sub(t,-16))
local b,j=F.aj(a,c)
if not j.lease then
F.aP(a,c,j)
return cd(b,j.attempt,true,F.m(b),j.error)
end
F.aN(a,c,j)
local bQ=d.failed+1
local aW=cd(b,j.attempt,true,F.m(b),dt)
d.failed=bQ
return aW
end
function F.eo(b,ab)
if d.stops and F.cv(a,b)then
return true
end
if F.ak(a,ab)and not F.U(a,ab,b.seq)then
F.cQ(a,b)
return true
end
return false
end
function F.ev(h,bW)
local c=F.dV(h,bW)
if d.join and c>d.join.from then
h.isLate=true
return false
end
local b=F.r(a,c)
if not b then
F.d('a message')
end
F.cy(a,h,c)
local ab=F.m(b)
if ab and ef(b,0)then
ab=F.U(a,ab,c)and ab or nil
elseif ab and F.eo(b,ab)then
K=K+1
aC=aC+(an>0 and 1 or 0)
return false
elseif ab then
g('HSET',F.a(a,'heads'),ab,F.b(c))
end
return cd(b,0,true,ab)
end
function F.ex(h,bW)
while h.again+h.ahead>0 do
if K>=1024 or aC>=256 then
dn=true
return false
end
local dI=h.again>0 and(h.ahead==0 or h.isLate or h.last~='again')
if h.isLate and not dI then
return false
end
local aW
if dI then
aW=F.eu(h)
else
aW=F.ev(h,bW)
end
if aW then
h.last=dI and 'again' or 'first'
return true
end
end
return false
end
function F.dJ(h,T,bW)
local bx=0
while bx<T and aI()>0 do
if h.heldFor or F.cp(h)or F.cs(h)or not F.ex(h,bW)then
return bx,not dn
end
bx=bx+1
if h.each then
h.full=math.max(h.full or 0,h.waited and v - h.each or v)+h.each
end
h.waited=false
if #h.probes>0 then
F.cB(a,h.probes,cH,bT)
h.isOut=true
end
end
return bx,h.again+h.ahead==0
end
function F.ej(m)
if bD then
local o,D='[' .. aT.only,'(' .. aT.only .. '\\255'
if m and string.sub(m,1,#aT.only)==aT.only then
return{{'(' .. m,D},{o,'[' .. m}}
end
return{{o,D}}
end
if not m then
return{'',{'-','+'}}
elseif m=='' then
return{{'-','+'},''}
end
return{{'(' .. m,'+'},'',{'-','[' .. m}}
end
function F.dP(r)
return g('ZSCORE',F.a(a,'ready'),r)
end
function F.cA(m)
local bE,i={},0
local dY,s
if aT.names then
local fL=#aT.names>0 and g('ZMSCORE',F.a(a,'ready'),unpack(aT.names))or{}
for f=1,#aT.names do
if fL[f] then
bE[#bE+1]=aT.names[f]
end
end
dY,s={},1
else
dY,s=F.ej(m),1
end
return function()
while i==#bE do
local aN=dY[s]
if not aN then
return nil
end
if aN=='' then
s=s+1
return ''
end
bE,i=g('ZRANGEBYLEX',F.a(a,'ready'),aN[1],aN[2],'LIMIT',0,64),0
if #bE==0 then
s=s+1
else
aN[1]='(' .. bE[#bE]
F.L(a,bE)
if e.holds then
F.bg(a,bE)
end
end
end
i=i+1
return bE[i]
end
end
function F.ew()
local bb=bD and{at=aT.at,left=aT.left or 0}or F.h(a)
local eE=d.lanes and d.lanes.flows>0
local aY=eE and math.max(1,g('ZCARD',F.a(a,'ready')))or 1
local bW=math.ceil(aI()/aY)
local function eg(r,T)
local bx,al
if r=='' then
local bd,fs=an,am
dy,am=an+1,false
eb()
T,bx,al=1,an - bd,an==bd
dn=al and(am or aI()>0 and d.cursor<e.tail)
dy,am=math.huge,am or fs
else
local h=F.ah(a,r)
F.dU(h)
T=T or h.limits.weight or 1
bx,al=F.dJ(h,T,math.max(bW,T))
end
if bx>0 then
bb.at,bb.left=r,al and 0 or T - bx
else
K=K+1
end
return not al
end
local function dc()
local eD=dn or K>=1024 or an>=500
am=am or eD
return aI()>0 and not eD
end
if eE or not bD then
if bb.at and bb.left>0 and dc()and F.dP(bb.at)then
eg(bb.at,bb.left)
end
local bV={}
local fD=F.cA(bb.at)
while dc()do
local r=fD()
if not r then
break
end
if eg(r)then
bV[#bV+1]=r
end
end
while #bV>0 and dc()do
local bU={}
if #bV==1 and bV[1]=='' then
if eb()then
bb.at,bb.left='',0
end
else
for f=1,#bV do
if dc()and eg(bV[f])then
bU[#bU+1]=bV[f]
end
end
end
bV=bU
end
F.eh()
end
if bD then
X[5]=bb.at and string.format('%.0f.%s',bb.left,bb.at)or 'none'
end
end
function F.dO()
if not(d.lanes and d.lanes.flows>0)then
return false
end
if not bD then
return g('ZCARD',F.a(a,'ready'))>0
end
return F.cA()()~=nil
end
`

/** One script: its text, and the digest by which the server knows it. */
export interface Script {
  readonly sha: string
  readonly text: string
}

export const SCRIPTS: Readonly<Record<'append' | 'cancel' | 'claim' | 'deleteGroup' | 'delete' | 'hold' | 'lanes' | 'list' | 'purge' | 'release' | 'results' | 'resume' | 'retryNow' | 'settle' | 'stats' | 'tidy', Script>> = {
  append: {
    sha: '8d6aa5f580ba25af321daa89d5623b536d8eff6e',
    text: `#!lua

` + rows + log + store + `local aS,am,cv,dd=ARGV[2],ARGV[3],tonumber(ARGV[4]),tonumber(ARGV[5])
local m=7
if ARGV[6]=='0' then
F.j()
if am=='' and not e.scan and not e.untidy and not cv and not dd and not(e.laned and F.s())then
F.as(500)
if not F.s()then
local dC=e.tail
for f=m,#ARGV,2 do
local p=tonumber(ARGV[f])
e.sent=e.sent+p
F.bK(p,ARGV[f+1],nil,ap,aS)
end
F.l(true)
return{'',dC,e.number}
end
end
end
` + leases + places + moves + ids + find + drop + group + counts + `
loadRest = function()
` + parked + outcomes + lanes + holds + `end
if ARGV[6]~='0' then
local _
_,m=F.cC(6)
end
local function fc(M,aH,w)
return{
id=w,
key=M.key,
lane=M.lane,
expires=M.expiresInMs and v+M.expiresInMs,
max=M.maxAttempts,
named=w and(M.dedupeMs or 0),
keep=M.keepMs,
record=aH,
}
end
local function eq(M,ai)
local aA=M.delayMs or 0
if M.maxDelayMs and aA>0 then
aA=math.max(0,math.min(aA,M.maxDelayMs,(ai.since or ai.at)+M.maxDelayMs - ap))
end
return aA
end
local function fG(b,s)
local t,ai=F.b(s),F.A(s)
e.later=e.later+#b.record - #ai.record
ac=true
g('HSET',n .. 'delayed',t,cmsgpack.pack(b))
g('ZREM',n .. 'lapse',t)
if b.expires then
g('ZADD',n .. 'lapse',b.expires,t)
end
g('HSET',n .. 'ids',b.id,F.K('t',s,b.named,0))
end
local function fE(b,c)
local Y={}
for _,a in pairs(F.c())do
Y[a]=F.t(a,c)
end
b.seq=c
local l=F.p(c)
if l then
F.bL(b)
if b.expires then
F.bc(l.last,b.expires)
end
end
local function eQ(k)
g('ZREMRANGEBYSCORE',k,c,c)
g('ZADD',k,c,cmsgpack.pack(b))
end
for a,i in pairs(Y)do
if i.kind=='waiting' or i.kind=='blocked' or i.kind=='parked' or i.kind=='lined' then
local ai=F.r(a,c)
a.row.outside=a.row.outside+#b.record - #ai.record
a.changed=true
eQ(F.a(a,'held'))
g('ZREM',F.a(a,'reap'),F.b(c))
F.y(a,b)
if i.kind=='waiting' then
F.v(a,c,{at=i.side.at,attempt=0,lane=i.side.lane})
elseif i.kind=='parked' then
F.cT(a,b)
end
elseif i.kind=='unjoined' then
for _,k in ipairs(a.row.join.keys)do
if g('ZCOUNT',n .. k,c,c)>0 then
eQ(n .. k)
end
end
end
end
local be=e.early and F.I(c)
if be then
F.bX(be)
F.bm({b})
end
g('HSET',n .. 'ids',b.id,F.K('s',c,b.named,0))
end
local function fr(c)
local bj=F.u(c)
if bj and bj.keep then
bj.keep=nil
F.bL(bj)
if bj.expires then
F.bc(F.p(c).last,bj.expires)
end
end
for _,a in pairs(F.c())do
if a.row.running then
F.aL(a,c)
end
local k=F.aw(a,c)or F.a(a,'held')
local b=F.M(k,c)
if b and b.keep then
b.keep=nil
g('ZREMRANGEBYSCORE',k,c,c)
g('ZADD',k,c,cmsgpack.pack(b))
end
end
end
local function eB(b,M)
return b.key~=M.key or b.lane~=M.lane
end
local eV,dT={},{}
local function fz(J)
for o=1,#J,1000 do
local D=math.min(#J,o+999)
local G=g('HMGET',n .. 'ids',unpack(J,o,D))
local cc=g('ZMSCORE',n .. 'past',unpack(J,o,D))
for f=o,D do
eV[J[f]]=G[f - o+1]
dT[J[f]]=cc[f - o+1] and tonumber(cc[f - o+1])
end
end
end
local function fB(M)
local w=M.id
local d=eV[w]
local y,as,aP=nil,0,0
if d then
y,as,aP=F.E(d)
else
y=F.ci(w)
end
local cc=not M.replace and dT[w] and dT[w]>v
if y and y.number then
local t=F.b(y.number)
local Q=tonumber(g('ZSCORE',n .. 'timers',t))
if Q then
if not M.replace then
return 'd'
end
local ai=F.A(y.number)
local aA=eq(M,ai)
local dQ=Q>v or aA>0 or eB(ai,M)
return dQ and 'S' or 'r',{delay=aA,since=ai.since or ai.at}
end
elseif y then
local c=y.seq
local Y,aV,cw={},true,false
for _,a in pairs(F.c())do
local i=F.t(a,c)
Y[a]=i
cw=cw or i~=nil
aV=aV and i~=nil and i.kind~='leased' and i.kind~='held'
end
if e.groups==0 then
cw=e.early and F.I(c)or F.aW(c)
end
if cw then
if not M.replace then
return 'd'
end
if not aV then
return 's',{earlier=math.max(as,aP),forsaken=not d and c}
end
local bj=e.early and F.I(c)or F.u(c)
for a,i in pairs(Y)do
if i.kind~='ahead' then
bj=F.ba(a,i,c)
end
end
local aA=eq(M,bj)
local dQ=aA>0 or eB(bj,M)
return dQ and 'S' or 'r',{delay=aA,since=bj.since or bj.at}
end
end
if d then
local S=(e.cut or v)+math.max(as,aP)
if S>v then
return not M.replace and 'd' or 's',{time=S}
end
end
return cc and 'd' or 's'
end
local cQ=am~='' and cjson.decode(am)
local aZ,ca,aD,cJ={},{},{},{}
for f=m,#ARGV,2 do
local l={count=tonumber(ARGV[f]),blob=ARGV[f+1]}
for i=1,l.count do
aZ[#aZ+1]=F.bh(l,i)
end
end
local ae={}
for _,M in ipairs(cQ or{})do
if M~=0 and M.id then
ae[#ae+1]=M.id
end
end
fz(ae)
local x,aa=0,0
for f=1,#aZ do
local M=cQ and cQ[f] or 0
local bt='s'
if M~=0 and M.id then
if cJ[M.id] then
bt='d'
else
bt,aD[f]=fB(M)
end
cJ[M.id]=true
end
if bt=='s' then
x=x+1
aa=aa+#aZ[f]
end
ca[f]=bt
end
if(cv or dd)and x>0 then
local cy,W=F.dB(cv and cv - x),F.bP()
if cv and cy+x>cv then
return{'q','maxMessages',cy,x}
end
if dd and W+aa>dd then
return{'q','maxBytes',W,aa}
end
end
F.bt()
F.as(math.min(4*500,500+#aZ))
local cY=F.s()
local dC,fq=e.tail,e.number
local cg,J,z,G,cR,bz,by={},{},{},{},{},{},{}
for f=1,#aZ do
local M=cQ and cQ[f] or 0
local bt,bv=ca[f],aD[f] or{}
if M==0 and not cY then
cg[#cg+1]={record=aZ[f]}
elseif bt=='s' or bt=='S' then
if M==0 then
M={}
end
if bv.forsaken then
fr(bv.forsaken)
end
if bv.time then
F.bj(M.id,bv.time)
end
if bt=='S' then
F.bW(M.id,F.B(M.id))
end
if M.id then
z[#z+1]=M.id
end
local b=fc(M,aZ[f],M.id)
e.laned=e.laned or b.lane~=nil or nil
local aA=bv.delay or M.delayMs or 0
b.since=bv.since
if aA>0 or cY then
local s=e.number
local t=F.b(s)
local Q=v+aA
if aA==0 then
Q=math.max(v,e.behind or 0)
e.behind=Q
end
b.at=ap
if not b.id then
b.id,b.named=F.aZ(aS,s,1),0
else
J[#J+1]=b.id
J[#J+1]=F.K('t',s,b.named,bv.earlier or 0)
end
G[#G+1]=t
G[#G+1]=cmsgpack.pack(b)
cR[#cR+1]=Q
cR[#cR+1]=t
if not e.timer or Q<e.timer then
e.timer=Q
end
if b.expires then
bz[#bz+1]=b.expires
bz[#bz+1]=t
end
e.number=s+1
e.delayed=e.delayed+1
e.later=e.later+#b.record
e.sent=e.sent+1
ca[f]=bt=='s' and 'l' or 'L'
elseif M.lane then
local s=e.number
b.seq,b.at=281474976710656+s,ap
if not b.id then
b.id=F.aZ(aS,s,1)
else
J[#J+1]=b.id
J[#J+1]=F.K('s',b.seq,b.named,bv.earlier or 0)
end
by[#by+1]=b
e.number=s+1
e.sent=e.sent+1
ca[f]=bt=='s' and 'l' or 'L'
else
cg[#cg+1]=b
if M.id then
J[#J+1]=M.id
J[#J+1]=F.K('s',e.tail+#cg - 1,b.named,bv.earlier or 0)
end
end
elseif bt=='r' then
local b=fc(M,aZ[f],M.id)
local y=F.B(M.id)
b.at,b.since=ap,bv.since
if y.number then
fG(b,y.number)
else
fE(b,y.seq)
end
end
end
local function dk(command,u,arguments)
for o=1,#arguments,1000 do
g(command,n .. u,unpack(arguments,o,math.min(#arguments,o+999)))
end
end
dk('HSET','ids',J)
dk('HSET','delayed',G)
dk('ZADD','timers',cR)
dk('ZADD','lapse',bz)
if e.kept or e.keepers then
F.dI(z)
end
e.sent=e.sent+#cg
ac=true
F.bJ(cg,ap,aS)
if #by>0 then
F.bm(by)
end
F.l(true)
return{table.concat(ca),dC,fq}
`,
  },
  cancel: {
    sha: 'd2fcf6c92722dfb4afb2e6d81cf846b21ba32bd6',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + find + drop + `
loadRest = function()
` + parked + outcomes + lanes + holds + `end
F.j()
local V={}
for f=2,#ARGV do
local y=F.B(ARGV[f])
V[#V+1]=y and F.bW(ARGV[f],y)and '1' or '0'
end
F.ee()
F.l(true)
return table.concat(V)
`,
  },
  claim: {
    sha: '680abb29a75c10b4312d192a68955857b221f19a',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + expire + group + settling + `
loadRest = function()
` + parked + outcomes + lanes + holds + `end
local dt='sthe lease ended before the delivery was settled'
local bh,fy,fA=math.min(tonumber(ARGV[2]),10000),tonumber(ARGV[3]),tonumber(ARGV[4])
local a,bK=F.cC(8)
local d=a.row
d.deadFor=tonumber(ARGV[5])
d.parksNext=ARGV[6]=='1' or nil
local aT=ARGV[7]~='' and cjson.decode(ARGV[7])or{}
local bD=aT.only~=nil or aT.names~=nil
local aB=F.cO(a,bK)
if e.scan or e.untidy then
F.bt()
end
local K,am=F.eq(#aB),false
if e.reap and e.reap<=v then
am=true
end
if d.join then
local fu=d.join.lanes~=nil
local dq=F.cS(a)
if fu and d.join and not d.join.lanes and dq<500/2 then
dq=dq+F.cS(a)
end
K=K+dq
end
if e.over and e.over<=v and F.es()then
am=true
end
if(e.laned or bD)and F.as(500)>0 and F.s()then
am=true
end
local Z=d.lanes
if Z and Z.flows>0 and F.eB(a)then
am=true
end
if cq then
F.aS()
end
local P=v+fy
local X={d.token,bT,-1,aB,''}
local an,aa=0,0
a.changed=true
local cr,aU=nil,{}
if e.holds then
cr,aU=F.cm(a)
end
local cL=#aU>0 and F.cH(a,aU)
if cr or cL then
bh=0
elseif #aU>0 then
bh=math.min(bh,1)
end
local dy=math.huge
local cH
local function aI()
if aa>=8388608 or d.join and d.join.bound<281474976710656 then
return 0
end
return math.min(bh,dy)- an
end
local aN
local bd=0
local function dD()
if aN then
F.H(a,aN)
aN=nil
end
end
local function q(A,I,U,ae,k)
if aN and not k and aN.last==A - 1 and aN.attempt==U then
aN.last=I
aN.named=aN.named or ae
return
end
dD()
aN={first=A,last=I,ends=P,number=bT,attempt=U,named=ae,key=k,bytes=bd}
if k then
dD()
end
end
local function ef(b,U)
if b.expires and b.expires<=v then
return 'expired'
end
if U>=(b.max or fA)then
return 'exhausted'
end
end
local function cd(b,U,aQ,k,bJ)
local c=b.seq
local bI=ef(b,U)
if bI then
K=K+2
if aQ then
F.bY(a,b)
end
if d.parksNext and b.key then
F.ar(a,b)
end
F.w(a,k)
F.R(a,b,U,bI,bJ,d.deadFor)
return false
end
cH=c
if aQ then
local j={lease=bT,at=P,attempt=U+1,lane=b.lane}
if b.lane then
j.expires=b.expires
j.size=not b.key and not b.named and not b.keep and #b.record or nil
F.cx(a,c,j,P,true)
else
g('ZADD',F.a(a,'ends'),P,F.b(c))
F.v(a,c,j)
end
d.leased=d.leased+1
d.out=d.out+1
if b.expires then
g('ZREM',F.a(a,'reap'),F.b(c))
end
else
q(c,c,U+1,b.named~=nil or b.keep~=nil,k)
end
an=an+1
aa=aa+#b.record
X[#X+1]={
c,
aQ and 'h' or 'l',
b.at,
b.id,
b.key or '',
b.max or 0,
U+1,
bJ or '',
b.record,
b.keep or b.lane and 0,
b.lane,
}
return true
end
local function fR()
if d.leased==0 then
return
end
while aI()>0 do
local t=g('ZRANGEBYSCORE',F.a(a,'ends'),'-inf',v,'LIMIT',0,1)[1]
if not t then
break
end
if K>=1024 then
am=true
break
end
if string.match(t,'^%d+$')then
local c=tonumber(t)
local b,j=F.aj(a,c)
local bQ=d.failed+1
g('ZREM',F.a(a,'ends'),t)
d.leased=d.leased - 1
d.out=d.out - 1
cd(b,j.attempt,true,b.key,dt)
d.failed=bQ
else
local ai=F.Z(t)
F.aJ(a,ai)
bd=ai.bytes
local c=ai.first
while c<=ai.last and aI()>0 and K<1024 do
local bQ=d.failed+1
cd(F.u(c),ai.attempt,false,ai.key,dt)
d.failed=bQ
c=c+1
end
if c<=ai.last then
F.H(a,F.W(ai,c,ai.last))
end
end
end
end
local function fd()
while d.waiting>0 and aI()>0 do
local Q=g('ZRANGEBYSCORE',F.a(a,'due'),'-inf',v,'LIMIT',0,math.min(aI(),256))
if #Q==0 then
break
end
if K>=1024 then
am=true
break
end
for _,t in ipairs(Q)do
if aI()==0 then
return
end
local c=tonumber(t)
local b,j=F.aj(a,c)
g('ZREM',F.a(a,'due'),t)
d.waiting=d.waiting - 1
cd(b,j.attempt,true,b.key,j.error)
end
end
end
local aC=0
local function fQ(l,o,az,av)
local f=o
while f<=l.count and aI()>0 and K<1024 do
local c=l.first+f - 1
if av and av[c] then
K=K+0.25
else
local b=az and az[c] or F.V(l,f)
local k=b.key
if not k or ef(b,0)then
cd(b,0,false)
elseif F.en(a,b)then
K=K+1
if an>0 then
aC=aC+1
end
else
g('HSET',F.a(a,'heads'),k,F.b(c))
cd(b,0,false,k)
end
end
f=f+1
end
return f
end
local function fS(l,o)
local D=math.min(l.count,o+aI()- 1)
local W=F.bp(l,o,D)
local N=l.columns
local J,as,ae,cE='','',false,nil
if N then
if N.id then
J={}
for f=o,D do
J[#J+1]=N.id[f] or ''
end
for f in pairs(N.named or{})do
ae=ae or(f>=o and f<=D)
end
end
if N.max then
as={}
for f=o,D do
as[#as+1]=N.max[f] or 0
end
end
if N.keep then
cE,ae={},true
for f=o,D do
cE[#cE+1]=N.keep[f] or 0
end
end
end
local ao=l.blob
local P=4*l.count
local dw=F.Y(ao,o)
if o>1 or D<l.count then
ao=string.sub(ao,4*o - 3,4*D).. string.sub(ao,P+dw+1,P+dw+W)
end
local A=l.first+o - 1
cH=A
X[#X+1]={A,D - o+1,l.at,l.base,J,as,dw,ao,cE}
q(A,l.first+D - 1,1,ae)
an=an+D - o+1
aa=aa+W
return D+1
end
local function fe()
local bO,dX=1,0
while aI()>0 and d.cursor<e.tail do
if K>=1024 or aC>=256 or dX>=64 then
am=true
return
end
local em=aD and d.cursor>=aD.first and d.cursor<=aD.last
local af=em and{aD}or F.bl(d.cursor,bO)
if #af==0 then
F.d('the log')
end
for _,au in ipairs(af)do
if aI()==0 or K>=1024 then
break
end
local l=em and aD or F.at(au)
aD=l
local o=math.max(d.cursor,l.first)
local i=o - l.first+1
local az=F.ae(o,l.last)
local av,p=F.ai(o,l.last)
local N=l.columns
bd=l.bytes
if p==l.last - o+1 then
dX=dX+1
i=l.count+1
elseif az or av or(N and(N.key or N.expires or N.at))then
i=fQ(l,i,az,av)
else
i=fS(l,i)
end
d.cursor=l.first+i - 1
d.passed=l.bytes+(i>l.count and F.bp(l,1,l.count)or 0)
bO=math.min(16,math.max(1,math.ceil(aI()/l.count)))
end
end
end
local function eb()
local bd=an
fR()
fd()
fe()
local dP=0
while dP<1024 and aI()>0 and d.cursor==e.tail and F.s()do
dP=dP+F.as(math.min(500,math.max(64,aI())))
fe()
end
fd()
return an>bd
end
local ff=bD or Z~=nil and Z.flows>0
if ff then
` + turns + `F.ew()
else
if eb()and Z then
Z.at,Z.left='',0
end
end
dD()
if #aU>0 and cH then
F.cB(a,aU,cH,bT)
end
d.served=d.served or an>0
F.cU(a)
if bY then
F.cw()
end
F.cj()
if cq then
F.aS()
end
local function de(next,S)
return next and S and math.min(next,S)or next or S
end
local fv=aI()<=0 and not cr and not cL
if
am
or d.join
or fv and(not bD and d.cursor<e.tail or ff and F.dO())
then
X[3]=0
else
local next
if cr or cL then
next=cr and math.max(cr,cL or 0)or cL
else
next=e.timer
if d.waiting>0 and not bD then
next=de(next,tonumber(g('ZRANGE',F.a(a,'due'),0,0,'WITHSCORES')[2]))
end
if d.leased>0 and not bD then
next=de(next,tonumber(g('ZRANGE',F.a(a,'ends'),0,0,'WITHSCORES')[2]))
end
if d.lanes and d.lanes.flows>0 then
for _,u in ipairs({'rests','lends','wake'})do
next=de(next,tonumber(g('ZRANGE',F.a(a,u),0,0,'WITHSCORES')[2]))
end
end
next=de(next,e.over)
end
if next and next<math.huge then
X[3]=math.max(0,math.ceil(next - v))
end
end
if #aB>0 then
F.l(bL)
else
F.l()
end
return X
`,
  },
  deleteGroup: {
    sha: '4c1710d06f45845ee193bf7d6eb75b28dfb142c6',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + moves + ids + group + empty + `
loadRest = function()
` + lanes + holds + `end
local a=F.j(ARGV[2])
if e.holds then
F.dD(ARGV[2])
end
if not a then
if ac then
F.l(true)
end
return 0
end
F.c()
aw[a.name]=nil
e.groups=e.groups - 1
ac=true
g('HDEL',ba,'group:' .. a.name)
F.bw(a)
if e.groups==0 then
F.ce()
else
F.aa(F.am())
F.bT()
end
if e.scan then
F.aE(500)
end
F.l(true)
return(e.scan or e.untidy)and 1 or 0
`,
  },
  delete: {
    sha: '2e74b32fb9cbf4989a0cb716b25b72eaef4f3aff',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + moves + group + empty + `if not F.cN()then
return F.cg(2)
end
e.joining=0
for _,a in pairs(aw)do
a.row.join=nil
F.bw(a)
end
for k in pairs(e.ghosts or{})do
g('UNLINK',n .. k)
end
F.bv(F.bB)
F.bv(F.dh)
redis.pcall('PUBLISH',n .. 'changed','wake')
return 0
`,
  },
  hold: {
    sha: 'a755ce56de63b0bfde37ccc7cb69dd5c36f13453',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + lanes + holds + moves + `F.j()
local i=F.f(string.match(ARGV[2],'^n(.*)$'),string.match(ARGV[3],'^n(.*)$'))
local eL=tonumber(ARGV[4])
F.ap(i,{since=ap,ends=eL and v+eL,reason=ARGV[5]~='' and ARGV[5] or nil,probe=ARGV[6]=='1'})
F.au(i)
F.l(false)
`,
  },
  lanes: {
    sha: '58f100a8ed8ff8e286af803dcc402b768ceec05d',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + lanes + holds + show + moves + ids + group + `local aD=F.j(ARGV[2])
local a=aD or F.aV(ARGV[2],'','earliest')
local aj,bh=ARGV[3],math.min(tonumber(ARGV[4]),500)
local o,D='[' .. aj,'(' .. aj .. '\\255'
local cV=string.match(ARGV[5],'^n(.*)$')
local z,cm={},{}
local function cD(a,b)
for f=1,math.min(#a,#b)do
local ak,ar=string.byte(a,f),string.byte(b,f)
if ak~=ar then
return ak<ar
end
end
return #a<#b
end
local function bB(k,aS)
local fC=cV and '(' .. aS .. cV or '[' .. aS .. aj
local E=g('ZRANGEBYLEX',k,fC,'(' .. aS .. aj .. '\\255','LIMIT',0,bh+1)
for _,t in ipairs(E)do
local L=string.sub(t,#aS+1)
if not cm[L] then
cm[L]=true
z[#z+1]=L
end
end
end
local dz={}
local function p(r)
dz[r]=(dz[r] or 0)+1
local fw=string.sub(r,1,#aj)==aj and(not cV or cD(cV,r))
if fw and not cm[r] then
cm[r]=true
z[#z+1]=r
end
end
if e.laned and F.s()then
local Q=g('ZRANGEBYSCORE',n .. 'timers','-inf',v,'WITHSCORES','LIMIT',0,2000)
for f=1,#Q,2 do
local b=cmsgpack.unpack(g('HGET',n .. 'delayed',Q[f]))
if b.lane and not F.aX(a,tonumber(Q[f+1]),tonumber(Q[f]))then
p(b.lane)
end
end
end
local B=a.row.join
if B and B.lanes then
F.ao(B)
end
local K,eA=0,true
while B and B.bound>281474976710656 do
if K>=2000 then
eA=false
break
end
local x,at=F.av(a,2000)
for _,b in ipairs(x)do
p(b.lane)
end
K=K+#x+1
if at>=B.bound then
break
end
B.from=at - 1
end
if a.row.lanes then
bB(F.a(a,'lanes'),'')
end
local bU={}
if not aD and not eA then
for _,ar in pairs(F.c())do
bU[#bU+1]=ar
bB(F.a(ar,'lanes'),'')
end
end
if e.holds then
bB(n .. 'places',F.f(nil,''))
bB(n .. 'places',F.f(ARGV[2],''))
end
table.sort(z,cD)
local bf={}
if a.row.lanes then
local E=g('ZRANGEBYSCORE',F.a(a,'lends'),'-inf',v,'LIMIT',0,1000)
local aM=#E>0 and g('HMGET',F.a(a,'side'),unpack(E))or{}
for f=1,#E do
local r=aM[f] and cmsgpack.unpack(aM[f]).lane
if r then
bf[r]=(bf[r] or 0)+1
end
end
end
local function fI(h,Y)
if h.ahead+h.again==0 then
return -1
end
local P=not h.byLive and h.rest or 0
for _,i in ipairs(Y)do
local H=F.o(i)
if F.P(i,H,a)=='held' then
P=math.max(P,H.ends or math.huge)
end
end
return P>v and P<math.huge and math.ceil(P - v)or -1
end
local X={#z>bh and bh>0 and 'n' .. z[bh] or ''}
for f=1,math.min(bh,#z)do
local r=z[f]
local h=F.ah(a,r)
local W=h.size+(dz[r] or 0)
for _,ar in ipairs(bU)do
W=math.max(W,F.ah(ar,r).size)
end
local cX,Y={},{F.f(nil,r),F.f(ARGV[2],r)}
local cl=h.live -(bf[r] or 0)
for _,i in ipairs(Y)do
cX[#cX+1]=F.cP(i,F.o(i))
end
if W>0 or #cX>0 then
X[#X+1]={r,W - cl,cl,fI(h,Y),cX}
end
end
return X
`,
  },
  list: {
    sha: 'abe66f4bc9740e5bf4007691b7605b9b5cfc6db7',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + moves + ids + group + find + `
loadRest = function()
` + outcomes + lanes + `end
local L,bh,fP,ft=ARGV[2],tonumber(ARGV[3]),ARGV[4],ARGV[5]=='0'
local cx,i,ez=tonumber(ARGV[6]),ARGV[7],tonumber(ARGV[9])
local cK=string.match(ARGV[8],'^l(.*)$')
local a=F.j(L)or F.aV(L,'','earliest')
local d=a.row
local X={d.token,'',''}
local aa,ay,K=0,0,0
local function dr(dL)
return string.find(fP,'[' .. dL .. ']')~=nil
end
local function cu(b)
return b and(not b.expires or b.expires>v)
end
local function ct()
return #X - 3>=bh or aa>=8388608 or ay>=33554432 or K>=2048
end
local function bl(ba,b,U,m,bJ,ci)
local ah=m and m - v or 0
if m and ah<=0 then
ba='r'
end
if dr(ba)and(not cK or cK==(b.lane or ''))then
local aH=ft and F.dK(b.record)or b.record
aa=aa+#aH+#(bJ or '')
local au={
ba,
b.at,
b.id,
b.key or '',
b.lane or '',
b.max or 0,
U,
ah>0 and math.ceil(ah)or -1,
bJ or '',
aH,
}
for _,ag in ipairs(ci or{})do
au[#au+1]=ag
aa=aa+(type(ag)=='string' and #ag or 0)
end
X[#X+1]=au
end
end
local function dV(b,U,P,s)
bl('l',b,U,P,nil,d.running and P>v and F.cI(a,b.seq,s))
end
local function dm(b,j)
if j and j.lease then
dV(b,j.attempt,j.at,j.lease)
elseif cu(b)then
if j and j.parked then
local bG=j.parked
bl('p',b,j.attempt,nil,nil,{bG.reason,bG.data or '',bG.at})
elseif j and not j.blocked then
bl('d',b,j.attempt,j.at,j.error)
elseif not j and b.lane then
bl('r',b,0)
else
bl('b',b,0)
end
end
end
local function eY(O)
if not(O.ends and O.ends<=v)then
local ci={O.reason,O.at,O.fence,O.message.seq}
bl('x',O.message,O.attempt,nil,O.error,ci)
end
end
local function bO()
local bP=K>0 and math.max(1,ay/K)or 33554432/64
return math.min(256,math.max(1,math.floor((33554432 - ay)/bP)))
end
local function cT(k,bP,bq)
local o=i=='' and '-inf' or '(' .. i
local I=tonumber(i)or 0
while true do
local p=bO()
local G=g('ZRANGEBYSCORE',k,o,bq or '+inf','LIMIT',0,p)
for _,t in ipairs(G)do
K=K+1
ay=ay+#t
local c=bP(t)
if not F.C(c)or c<=I then
F.d('a message')
end
I=c
i=string.format('%.0f',c)
if ct()then
return true
end
end
if #G<p then
return false
end
o='(' .. i
end
end
local bk={}
local function fa(t)
local b=cmsgpack.unpack(t)
local j=F.q(a,b.seq)
if not(j and j.parked)then
dm(b,j)
end
return b.seq
end
local dK=d.join and(d.join.lanes or d.join.bound)
bk[1]={'lr',function()
local o=tonumber(i~='' and i or 0)+1
while d.leased>d.out do
local t=g('ZRANGEBYSCORE',F.a(a,'leases'),o,'+inf','LIMIT',0,1)[1]
if not t then
return false
end
local q=F.Z(t)
if q.last<o then
F.d('a lease')
end
for c=math.max(o,q.first),q.last do
local b=F.u(c)
i=string.format('%.0f',c)
if not b then
F.d('a lease')
end
K=K+1
ay=ay+#b.record
dV(b,q.attempt,q.ends,q.number)
if ct()then
return true
end
end
o=q.last+1
end
end}
bk[2]={'ldbr',function()
if cK and cK~='' and i=='' then
i=string.format('%.0f',281474976710656 - 1)
end
local bq=cK=='' and 281474976710656 or d.join and d.join.lanes and 281474976710656 or dK
return cT(F.a(a,'held'),fa,bq and string.format('(%.0f',bq))
end}
bk[3]={'r',function()
local B=d.join
while B do
if(tonumber(i)or 0)>=B.bound - 1 then
F.ao(B)
end
B.from=math.max(B.from,tonumber(i)or 0)
local x,at=F.av(a,bO())
for _,b in ipairs(x)do
K=K+1
ay=ay+#b.record
i=string.format('%.0f',b.seq)
if cu(b)then
bl('r',b,0)
end
if ct()then
return true
end
end
if at>=B.bound and not B.lanes then
return false
end
i=string.format('%.0f',at - 1)
end
end}
bk[4]={'ldbr',function()
if not dK then
return false
end
i=string.format('%.0f',math.max(dK - 1,tonumber(i)or 0))
return cT(F.a(a,'held'),fa)
end}
bk[5]={'r',function()
local o=math.max(d.cursor,tonumber(i~='' and i or 0)+1)
while o<e.tail do
local au=F.bl(o,1)[1]
if not au then
return false
end
local l=F.at(au)
local az,av=F.ae(l.first,l.last),F.ai(l.first,l.last)
K=K+8
ay=ay+#l.blob
for c=math.max(o,l.first),l.last do
i=string.format('%.0f',c)
if av and av[c] then
K=K+0.25
else
K=K+1
local b=az and az[c] or F.V(l,c - l.first+1)
if cu(b)then
bl('r',b,0)
end
end
if ct()then
return true
end
end
o=l.last+1
end
return false
end}
local function cD(s,m)
return d.since and m<=d.since.at and s<d.since.number
end
bk[6]={'dr',function()
local m,s=string.match(i,'^(.*)/(.*)$')
local cC=0
if m then
local eR=g('ZRANK',n .. 'timers',s)
cC=eR and eR+1 or g('ZCOUNT',n .. 'timers','-inf',m)
end
while true do
local G=g('ZRANGE',n .. 'timers',cC,cC+256 - 1,'WITHSCORES')
for f=1,#G,2 do
local Q=tonumber(G[f+1])
i=G[f+1] .. '/' .. G[f]
K=K+1
if not cD(tonumber(G[f]),Q)then
local b=F.A(G[f])
if cu(b)then
ay=ay+#b.record
bl('d',b,0,Q)
end
end
if ct()then
return true
end
end
if #G<2*256 then
return false
end
cC=cC+256
end
end}
bk[7]={'x',function()
return cT(F.a(a,'dead'),function(t)
local O=cmsgpack.unpack(t)
eY(O)
return O.message.seq
end)
end}
local function eZ(C)
if C.ends<=v or C.status=='dead' and F.x(a,C.seq)then
return
end
local b={id=C.id,key=C.key,lane=C.lane,at=C.at,max=C.max,record=''}
bl('o',b,C.attempt,nil,C.error,F.bU(C))
end
bk[8]={'p',function()
return cT(F.a(a,'parked'),function(t)
local c=tonumber(t)
local b,j=F.aj(a,c)
ay=ay+#b.record
dm(b,j)
return c
end)
end}
bk[9]={'o',function()
return cT(F.a(a,'results'),function(t)
local C=cmsgpack.unpack(t)
eZ(C)
return C.seq
end)
end}
local function fO(w)
local y=F.B(w)
if not y then
return
end
if y.number then
local b=F.A(y.number)
local m=tonumber(g('ZSCORE',n .. 'timers',F.b(y.number)))
if m and cu(b)and not cD(y.number,m)then
bl('d',b,0,m)
end
return
end
local bM=F.t(a,y.seq)
if not bM then
return
end
local b=F.ba(a,bM,y.seq)
if not b then
F.d('a message')
end
ay=ay+#b.record
if bM.kind=='lined' then
dm(b)
elseif bM.kind=='leased' then
dV(b,bM.lease.attempt,bM.lease.ends,bM.lease.number)
elseif bM.kind=='ahead' or bM.kind=='unjoined' then
if cu(b)then
bl('r',b,0)
end
else
dm(b,bM.side)
end
end
local function fN(w)
local aj=F.i(w)
local t=g('ZREVRANGEBYLEX',F.a(a,'letters'),'[' .. aj .. '\\255','[' .. aj,'LIMIT',0,1)[1]
local c=t and tonumber(string.sub(t,#aj+1))
c=c or F.bn(w)
local O=c and F.x(a,c)
if O and O.message.id==w then
ay=ay+#O.message.record
eY(O)
end
end
local function fM()
local A=i=='' and 0 or tonumber(i)
for cn=A,3*ez - 1 do
local w=ARGV[10+math.floor(cn/3)]
i=string.format('%.0f',cn+1)
if cn % 3==2 then
fO(w)
elseif cn % 3==1 then
local C=dr('o')and d.kept and F.cD(a,w)
if C then
eZ(C)
end
elseif dr('x')and d.dead>0 then
fN(w)
end
if ct()then
return true
end
end
return false
end
if ez>=0 then
if fM()then
X[2],X[3]='1',i
end
return X
end
while bk[cx] do
local dL,fT=bk[cx][1],bk[cx][2]
if dr(dL)and fT()then
X[2],X[3]=tostring(cx),i
return X
end
cx=cx+1
i=''
end
return X
`,
  },
  purge: {
    sha: '669fb17a6e011b093198223ed3d38015b443bb3b',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + moves + ids + group + empty + `
loadRest = function()
` + lanes + `end
if not F.cN()then
return F.cg(3)
end
local p=0
local ai=aw
e.joining=0
for _,a in pairs(ai)do
local d=F.an(ARGV[2] .. p,e.tail,e.bytes)
p=p+1
for _,bR in ipairs({'acked','failed','latest','deadFor','parksNext','born','served'})do
d[bR]=a.row[bR]
end
local Z=a.row.lanes
if Z then
d.lanes={flows=0,ahead=0,again=0,lost=0,at=Z.at,left=Z.left}
end
a.row.join=nil
F.bw(a)
a.row=d
a.changed=true
end
F.ce()
if e.scan then
F.aE(500)
end
F.l(true)
return e.scan and 1 or 0
`,
  },
  release: {
    sha: '2eadb560e0880277b60682dc0ffc3daf4a6fa6e6',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + lanes + holds + moves + `F.j()
local i=F.f(string.match(ARGV[2],'^n(.*)$'),string.match(ARGV[3],'^n(.*)$'))
local H=F.o(i)
if not H then
return 0
end
local bN=F.P(i,H)
if not bN or ARGV[4]~='1' then
F.aM(i)
elseif bN=='held' then
F.bq(i,H)
end
F.l(true)
return bN and 1 or 0
`,
  },
  results: {
    sha: '95b917fc196456118857b2505c14da408d3bccf6',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + moves + ids + find + outcomes + `
loadRest = function()
` + lanes + `end
local a=F.j(ARGV[2])
local X,aa={},0
local function fK(w)
local y=a.row.running and F.B(w)
local i=y and y.seq and F.t(a,y.seq)
local s,P
if i and i.kind=='leased' then
s,P=i.lease.number,i.lease.ends
elseif i and i.kind=='held' then
s,P=i.side.lease,i.side.at
end
local bu=s and P>v and F.cI(a,y.seq,s)
return bu and{'running',bu[1],bu[2]}
end
for f=3,#ARGV do
local C=a and a.row.kept and F.cD(a,ARGV[f])
local ci=C and F.bU(C)or a and fK(ARGV[f])or ''
X[f - 2]=ci
for fx=3,#ci do
aa=aa+#ci[fx]
end
if aa>=8388608 then
break
end
end
return X
`,
  },
  resume: {
    sha: '12c8aacd0e421bf7207465155646e27821981c7c',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + find + parked + `
loadRest = function()
` + lanes + holds + `end
local eN,ao,dO,eu=ARGV[2],ARGV[3],tonumber(ARGV[4]),tonumber(ARGV[5])
F.j()
local function fo(a,b)
if e.joining>0 then
F.cl(a,b)
end
local c,ai=b.seq,b.record
b.record,b.max,b.at=F.bh({blob=ao,count=1},1),dO,ap
if eu then
b.expires=v+eu
F.y(a,b)
end
g('ZREMRANGEBYSCORE',F.a(a,'held'),c,c)
g('ZADD',F.a(a,'held'),c,cmsgpack.pack(b))
a.row.outside=a.row.outside+#b.record - #ai
end
local function fJ(a,w,y)
local eU=false
for _,c in ipairs(F.ec(a,w,y))do
local i=F.t(a,c)
local b=i and i.kind=='parked' and F.r(a,c)
if b and not(b.expires and b.expires<=v)then
if ao~='' then
fo(a,b)
end
F.cT(a,b)
eU=true
if ao~='' then
break
end
end
end
return eU
end
local V={}
for f=6,#ARGV do
local y=F.B(ARGV[f])
local er='0'
for L,a in pairs(F.c())do
if(eN=='' or L==eN)and fJ(a,ARGV[f],y and y.seq)then
er='1'
end
end
V[#V+1]=er
end
F.l(true)
return table.concat(V)
`,
  },
  retryNow: {
    sha: 'acf0d44a82aa34a1c57d5ed49e59e79bbf027bf6',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + find + `
loadRest = function()
` + lanes + holds + `end
local a=F.j(ARGV[2])
local V={}
for f=3,#ARGV do
local y=a and F.B(ARGV[f])
local i=y and y.seq and F.t(a,y.seq)
local fj=i and i.kind=='waiting' and i.side.at>v
if fj then
F.aP(a,y.seq,i.side)
i.side.at=v
F.ab(a,y.seq,i.side)
end
V[#V+1]=fj and '1' or '0'
end
F.l(true)
return table.concat(V)
`,
  },
  settle: {
    sha: 'c3abc9e37a9e8004d22b653a20843eb6174fd151',
    text: `#!lua flags=allow-oom

` + rows + log + store + leases + places + moves + ids + settling + `
loadRest = function()
` + parked + outcomes + lanes + holds + `end
local a=F.j(ARGV[2])
local aB=F.cO(a,3)
if a and a.changed then
F.cU(a)
if bY then
F.cw()
end
F.cj()
F.l(bL)
end
return aB
`,
  },
  stats: {
    sha: 'a58e4a1145dc9b851f1b5606656a5641301e9b19',
    text: `#!lua flags=no-writes

` + rows + log + store + leases + places + moves + ids + find + group + counts + `
loadRest = function()
` + lanes + holds + show + `end
F.j()
F.c()
local p=ARGV[2]=='' and F.cR()or cmsgpack.unpack(ARGV[2])
for L in pairs(p.groups)do
if not aw[L] then
p.groups[L]=nil
end
end
if not F.ck(p,5000)then
return cmsgpack.pack(p)
end
local function co(b)
return b and math.max(0,ap - b.at)
end
local A=F.J()
local dg=A and co(A)
local function dR(bo)
if bo and(not dg or bo>dg)then
dg=bo
end
end
if F.s()then
local s=g('ZRANGE',n .. 'timers',0,0)[1]
dR(s and co(F.A(tonumber(s))))
end
local be=e.early and g('ZRANGE',n .. 'early',0,0)[1]
dR(be and co(cmsgpack.unpack(be)))
local X={e.holds and F.el()or{},F.aH(p),F.bP(),-1,e.sent}
for L in pairs(p.groups)do
local a=aw[L]
local d=a.row
local aY,aW,ch,aC,bG=F.bR(p,a)
local fp=d.dead>0 and g('ZCOUNT',F.a(a,'fade'),'-inf',v)or 0
local ax=F.aT(a)
local bo=ax<e.tail and co(F.u(ax))
local aQ=g('ZRANGE',F.a(a,'held'),0,0)[1]
if aQ then
bo=math.max(bo or 0,co(cmsgpack.unpack(aQ)))
end
if d.lanes and d.lanes.flows>0 then
local A=g('ZRANGEBYSCORE',F.a(a,'held'),string.format('%.0f',281474976710656),'+inf','LIMIT',0,1)[1]
bo=A and math.max(bo or 0,co(cmsgpack.unpack(A)))or bo
end
dR(bo)
for _,ag in ipairs({L,aY,aW,ch,aC,bG,d.dead - fp,bo or -1,d.acked,d.failed})do
X[#X+1]=ag
end
end
X[4]=dg or -1
return X
`,
  },
  tidy: {
    sha: '4a148e9de12328c39602a8df6151d9769d3c730c',
    text: `#!lua flags=allow-oom

` + rows + log + leases + places + moves + ids + `
loadRest = function()
` + lanes + `end
F.j()
F.bt()
F.l()
return(e.scan or e.untidy)and 1 or 0
`,
  },
}
